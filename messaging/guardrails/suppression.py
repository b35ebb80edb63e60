"""Addresses that must not be written to: no such mailbox, marked as spam, erased, or blocked by hand."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from consent import suppression
from consent.models import Suppression as Row
from messaging.judging import ALLOW, GUARDRAILS, Block, Candidate, Guardrail, Verdict

_WHY = {
    Row.Reason.HARD_BOUNCE: "mail to it came back: there is no such address",
    Row.Reason.SOFT_BOUNCE: "mail to it came back again and again",
    Row.Reason.PROVIDER: "the mail provider sends nothing there",
    Row.Reason.COMPLAINT: "it marked a message as spam",
    Row.Reason.MANUAL: "it was blocked by hand",
    Row.Reason.ERASED: "its owner was erased",
    Row.Reason.STOPPED: "they said stop from it by text message",
    Row.Reason.REVIEW: "somebody wrote back from it, and nobody has read that yet",
}


@GUARDRAILS.register
class Suppression(Guardrail):
    key = "suppression"
    label = "Address is not blocked"
    order = 20

    def judge(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[UUID, Verdict]:
        found: dict[tuple[str, str], list[Row]] = {}
        for channel in {one.channel for one in candidates}:
            rows = suppression.find(channel, {one.address for one in candidates if one.channel == channel})
            found |= {(channel, address): against for address, against in rows.items()}
        return {one.id: _verdict(one, found[one.channel, one.address]) for one in candidates}


def _verdict(one: Candidate, rows: Sequence[Row]) -> Verdict:
    against = [row for row in rows if row.scope == Row.Scope.ALL or not one.topic.transactional]
    if one.message.idempotency_key.startswith("house:confirm:"):
        # Somebody who was erased comes back by their own will, or not: only this mail can tell (ER-02).
        against = [row for row in against if row.reason != Row.Reason.ERASED]
    if not against:
        return ALLOW
    row = min(against, key=lambda row: row.scope != Row.Scope.ALL)
    why = _WHY.get(Row.Reason(row.reason), "it is blocked") if row.reason in Row.Reason.values else "it is blocked"
    reach = "" if row.scope == Row.Scope.ALL else " Only what they need for what they use still goes there."
    return Block(
        f"The address of {one.profile} is blocked, since {why}.{reach}",
        {"reason": row.reason, "scope": row.scope, "since": row.at.isoformat(), "note": row.note},
    )
