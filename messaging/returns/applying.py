"""Acting on what was told: once, in any order, and only on what we sent to whom we sent it.

Nothing is held meanwhile. Whatever is done here does nothing when it is done again, so that two workers that look at
the same report come to the same; and what a message came to is worked out anew from all that was told of it.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from uuid import UUID

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q

from consent import ledger, suppression
from consent.ledger import EVERYTHING, Choice
from consent.models import ConsentRecord, State, Suppression
from foundation.sql import statements
from messaging import agents, lanes, outcomes, tracking
from messaging.delivery import CHANNELS
from messaging.models import Message, MessageState
from messaging.outbox import as_json
from messaging.returns import soft
from messaging.returns.models import Meaning, Report
from profiles import ingest

log = logging.getLogger(__name__)

BATCH = 200
AHEAD, BEHIND = timedelta(hours=1), timedelta(days=30)
"""How far in the future a report may say that it was, by clocks that are wrong, and how late it may come (PR-06)."""
_PATIENCE = timedelta(minutes=15)  # after which nobody will tell us any more that they sent such a message
_SOON = timedelta(seconds=20)
_LATELY, _ENOUGH = timedelta(hours=1), 3
_sql = statements("messaging", "returns")

# What a message came to, by what was told of it; what stands here later stands (PR-05).
_STATES: dict[Meaning, MessageState] = {
    Meaning.SENT: MessageState.SENT,
    Meaning.FULL: MessageState.FAILED,
    Meaning.SENDER: MessageState.FAILED,
    Meaning.CONTENT: MessageState.FAILED,
    Meaning.LISTED: MessageState.FAILED,
    Meaning.DELIVERED: MessageState.DELIVERED,
    Meaning.OPENED: MessageState.OPENED,
    Meaning.CLICKED: MessageState.CLICKED,
    Meaning.NO_ADDRESS: MessageState.BOUNCED,
    Meaning.COMPLAINED: MessageState.COMPLAINED,
}
_RANKS = ("sent", "failed", "delivered", "opened", "clicked", "bounced", "complained")
_WHY: dict[Meaning, str] = {
    Meaning.FULL: "It could not be delivered: the mailbox is full or out of reach",
    Meaning.SENDER: "It was turned away because of us, and not because of the address",
    Meaning.CONTENT: "It was turned away because of what it is: its size, or what is in it",
    Meaning.LISTED: "The provider did not send it: it does not write to this address",
    Meaning.NO_ADDRESS: "It came back: there is no such address",
    Meaning.COMPLAINED: "It was marked as spam",
}
_EVENTS = {
    Meaning.DELIVERED: "delivered",
    Meaning.OPENED: "opened",
    Meaning.CLICKED: "clicked",
    Meaning.NO_ADDRESS: "bounced",
    Meaning.FULL: "bounced",
    Meaning.COMPLAINED: "complained",
}
_CAME = {Meaning.DELIVERED, Meaning.OPENED, Meaning.CLICKED, Meaning.COMPLAINED}
_CAME_NOT = {Meaning.FULL, Meaning.DELAYED}


def tick(now: datetime) -> int:
    """Acts on the reports that wait; how many were dealt with."""
    done = 0
    while found := _some(now):
        done += found
    return done


def _some(now: datetime) -> int:
    waiting = Report.objects.filter(state=Report.State.WAITING, due_at__lte=now)
    reports = list(waiting.defer("raw").order_by("due_at", "id")[:BATCH])
    try:
        with transaction.atomic():
            _act_on(reports, now)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("reports could not be acted on together; each is tried alone")
        for report in reports:
            _alone(report, now)
    return len(reports)


def _alone(report: Report, now: datetime) -> None:
    """One that cannot be acted on costs no other: it is kept, with what happened, for people to see (BO-08)."""
    try:
        with transaction.atomic():
            _act_on([report], now)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.exception("report %s could not be acted on", report.id)
        why = f"It could not be acted on ({type(error).__name__})."
        Report.objects.filter(id=report.id).update(state=Report.State.QUARANTINED, why=why)


# ── What it is about ─────────────────────────────────────────────────────────────────────────────────────────────────
def _act_on(reports: Sequence[Report], now: datetime) -> None:
    found = _messages(reports)
    applied = []
    for report in reports:
        report.message = found.get(report.id)
        report.state, report.why = _judged(report, now)
        if report.state == Report.State.WAITING:
            report.due_at = now + _SOON
            report.message = None
        elif report.state == Report.State.APPLIED:
            applied.append(report)
    if applied:
        _apply(applied, now)
    Report.objects.bulk_update(reports, ["message", "state", "why", "due_at"])
    _unname(reports, found)


def _unname(reports: Sequence[Report], found: Mapping[int, Message]) -> None:
    """What comes late about somebody who was erased names them no more: only that it came is kept (ER-03)."""
    theirs = {id for id, message in found.items() if message.profile_id is None}
    others = {report.id: report.recipient for report in reports if report.id not in found and report.recipient}
    blocked = suppression.find("email", others.values())
    theirs |= {
        id
        for id, recipient in others.items()
        if any(row.reason == Suppression.Reason.ERASED for row in blocked[recipient])
    }
    Report.objects.filter(id__in=theirs).update(recipient="", raw="", said="", agent="", url="")


def _messages(reports: Sequence[Report]) -> dict[int, Message]:
    """The message of each report: the one that it names, else the one that the provider, or its header, calls so."""
    ids = {report.named for report in reports if report.named}
    providers = {report.provider_id for report in reports if report.provider_id}
    headers = {report.header_id for report in reports if report.header_id}
    wanted = Q(id__in=ids) | Q(provider_id__in=providers) | Q(message_id__in=headers)
    rows = list(Message.objects.filter(wanted).select_related("topic", "template").defer("html", "text"))
    by_id = {row.id: row for row in rows}
    by_header = {row.message_id: row for row in rows if row.message_id}
    by_provider: dict[str, list[Message]] = {}
    for row in rows:
        if row.provider_id:
            by_provider.setdefault(row.provider_id, []).append(row)
    found = {}
    for report in reports:
        named = by_id.get(report.named) if report.named else None
        called = by_provider.get(report.provider_id, [])
        own = [row for row in called if _is_to(report, row)]
        message = named or next(iter(own or called), None) or by_header.get(report.header_id)
        if message is not None:
            found[report.id] = message
    return found


def _is_to(report: Report, message: Message) -> bool:
    return suppression.normalised(report.recipient) == suppression.normalised(message.address)


def _judged(report: Report, now: datetime) -> tuple[Report.State, str]:
    """Whether it is acted on, and why (PR-04, PR-06)."""
    states, message = Report.State, report.message
    if report.meaning == Meaning.NOTHING:
        return states.IGNORED, "It asks for nothing."
    if report.meaning == Meaning.UNKNOWN:
        return states.QUARANTINED, "We do not know what it means."
    if report.at and report.at > report.received_at + AHEAD:
        return states.QUARANTINED, "It says that it happened in the future."
    if report.at and report.at < report.received_at - BEHIND:
        return states.IGNORED, "It is more than 30 days old."
    if message is None:
        if now < report.received_at + _PATIENCE:
            return states.WAITING, "We do not know the message yet."
        return states.QUARANTINED, "It is about no message that we sent."
    if message.state == MessageState.SENDING:
        return states.WAITING, "The message is still being handed over."
    if message.profile_id is None:
        return states.IGNORED, "The person was erased."
    if message.sending_at is None:
        return states.QUARANTINED, "We did not send this message."
    if not report.proven and not _is_to(report, message) and (report.recipient or not _asks_for_less(report)):
        return states.QUARANTINED, "We sent this message, but not to this address."
    return states.APPLIED, ""


def _asks_for_less(report: Report) -> bool:
    """Providers black out the address of whoever complains; the name of the mail is known to its receiver alone."""
    return report.meaning in (Meaning.COMPLAINED, Meaning.UNSUBSCRIBED)


# ── What is done ─────────────────────────────────────────────────────────────────────────────────────────────────────
def _apply(reports: list[Report], now: datetime) -> None:
    _untold(reports)
    ingest.emit([event for one in reports if (event := _event(one)) is not None], crowd=False, now=now)
    # Telling what happened holds the people: nobody merges or erases them now, and messages say whose they are.
    messages = _of(reports)
    owners: dict[UUID, UUID] = dict(
        Message.objects.filter(id__in=messages, profile__isnull=False).values_list("id", "profile_id")
    )
    _block(reports)
    _take_back(reports, owners, now)
    _mind_the_way(reports, now)
    soft.note([(one.message, one.meaning in _CAME, _when(one)) for one in reports if _counts(one) and one.message], now)
    Report.objects.bulk_update(reports, ["message", "state", "why"])  # what they come to is asked of all of them
    come_to(messages, now)


def _untold(reports: Iterable[Report]) -> None:
    """Of opens and clicks that the provider saw, those that we may not know of, and those that no person made."""
    looks = [one for one in reports if one.meaning in (Meaning.OPENED, Meaning.CLICKED)]
    asked = [(one.message.profile_id, one.message.channel) for one in looks if one.message and one.message.profile_id]
    agreed, unseen = tracking.agreed(asked) if asked else set(), []
    for one in looks:
        message = one.message
        if message is None or (message.profile_id, message.channel) not in agreed:
            one.state, one.why = Report.State.IGNORED, "The person did not agree to being tracked."
            unseen.append(one.id)
        elif agents.is_machine(one.agent, _when(one), message.sent_at, link=one.meaning == Meaning.CLICKED):
            one.state, one.why = Report.State.IGNORED, "It was a program, and no person."
    if unseen:
        Report.objects.filter(id__in=unseen).update(raw="", agent="", url="")


def _when(report: Report) -> datetime:
    return min(report.at or report.received_at, report.received_at)


def _event(report: Report) -> ingest.Ours | None:
    what = _EVENTS.get(Meaning(report.meaning))
    if report.state != Report.State.APPLIED or what is None or report.message is None:
        return None
    if what != "bounced":
        return outcomes.event(report.message, what, _when(report))
    if report.meaning == Meaning.NO_ADDRESS:
        return outcomes.event(report.message, what, _when(report), bounce="hard")
    told = outcomes.event(report.message, what, _when(report), bounce="soft")
    return replace(told, message_id=f"{told.message_id}:soft") if told else None


def _of(reports: Iterable[Report]) -> set[UUID]:
    return {one.message.id for one in reports if one.state == Report.State.APPLIED and one.message}


def _counts(report: Report) -> bool:
    if report.meaning == Meaning.DELAYED and report.source == "dsn":
        return False  # mail servers say that they are still trying, and not when it came through after all
    return report.state == Report.State.APPLIED and report.meaning in _CAME | _CAME_NOT


def _block(reports: Iterable[Report]) -> None:
    """Addresses that are none, that complained, and that the provider keeps from us (BO-01, BO-05, BO-07)."""
    reasons = {
        Meaning.NO_ADDRESS: (Suppression.Reason.HARD_BOUNCE, Suppression.Scope.ALL),
        Meaning.COMPLAINED: (Suppression.Reason.COMPLAINT, Suppression.Scope.MARKETING),
        Meaning.LISTED: (Suppression.Reason.PROVIDER, Suppression.Scope.ALL),
    }
    for one in reports:
        if one.state != Report.State.APPLIED or one.message is None or one.meaning not in reasons:
            continue
        reason, scope = reasons[Meaning(one.meaning)]
        if one.meaning == Meaning.LISTED and one.reason in ("spam", "unsubscribed"):
            scope = Suppression.Scope.MARKETING  # the person's wish, which leaves what they need
        note = f"Message {one.message.id}, as {one.source} told us."
        suppression.add(one.message.channel, one.message.address, reason, one.received_at, scope, note=note)


def _mind_the_way(reports: Iterable[Report], now: datetime) -> None:
    """Where several say within the hour that somebody there turns us away, that way out is shut for a while (BO-03)."""
    against_us = [
        one
        for one in reports
        if one.state == Report.State.APPLIED
        and one.meaning in (Meaning.SENDER, Meaning.SLOWED)
        and _when(one) > now - _LATELY
    ]
    ways: dict[tuple[str, str], list[Report]] = {}
    for one in against_us:
        channel = CHANNELS.get(one.message.channel) if one.message else None
        if one.message is not None and channel is not None:
            ways.setdefault((one.message.channel, channel().place(one.message.address)), []).append(one)
    for (name, place), theirs in ways.items():
        messages = {one.message.id for one in theirs if one.message}
        domains = {one.message.address.rpartition("@")[2] for one in theirs if one.message}
        before = Report.objects.filter(
            reduce(or_, (Q(message__address__iendswith=f"@{domain}") for domain in sorted(domains))),
            meaning__in=(Meaning.SENDER, Meaning.SLOWED),
            state=Report.State.APPLIED,
            received_at__gt=now - _LATELY,
        )
        others = before.exclude(message__in=messages).values("message").distinct().count()
        if others + len(messages) >= _ENOUGH:
            lanes.trouble(name, place, reason=f"{theirs[-1].said[:300].rstrip('.')}.", now=now)


def _take_back(reports: Iterable[Report], owners: Mapping[UUID, UUID], now: datetime) -> None:
    """Who complains wants nothing more by that channel; who asked the provider to end a topic, just that."""
    choices = []
    for one in reports:
        message = one.message
        if one.state != Report.State.APPLIED or message is None or message.id not in owners:
            continue
        if one.meaning == Meaning.COMPLAINED:
            topic, source, method = EVERYTHING, ConsentRecord.Source.COMPLAINT, "fbl"
        elif one.meaning == Meaning.UNSUBSCRIBED:
            topic, source, method = message.topic.slug, ConsentRecord.Source.ONE_CLICK, "provider"
        else:
            continue
        choices.append(
            Choice(
                profile_id=owners[message.id],
                topic=topic,
                channel=message.channel,
                state=State.DENIED,
                source=source,
                evidence={"method": method, "by": one.source},
                message=message.id,
            )
        )
    if choices:
        ledger.record(choices, now=now)


def come_to(messages: Iterable[UUID], now: datetime) -> None:
    """Moves these messages on to what all reports on them say together, whatever was told first."""
    best: dict[UUID, tuple[int, datetime, str, Report]] = {}
    telling = Report.objects.filter(message__in=list(messages), state=Report.State.APPLIED, meaning__in=list(_STATES))
    for one in telling.defer("raw"):
        rank = _RANKS.index(_STATES[Meaning(one.meaning)])
        standing = (-rank, _when(one), one.key, one)
        if one.message_id and (one.message_id not in best or standing[:3] < best[one.message_id][:3]):
            best[one.message_id] = standing
    told = [
        {"id": id, "state": _STATES[Meaning(one.meaning)], "rank": 1 - rank, "reason": _reason(one)}
        for id, (rank, _, _, one) in sorted(best.items())
    ]
    if told:
        _sql.run("came_of", {"told": as_json(told), "now": now})


def move_on(messages: Iterable[UUID], state: MessageState, now: datetime) -> None:
    """Moves these on to what a person did with them, by our own eyes; never back."""
    told = [{"id": id, "state": state, "rank": 1 + _RANKS.index(state), "reason": ""} for id in sorted(messages)]
    if told:
        _sql.run("came_of", {"told": as_json(told), "now": now})


def _reason(report: Report) -> str:
    why = _WHY.get(Meaning(report.meaning), "")
    said = " ".join(report.said.split())[:300].rstrip(".")
    return f"{why} ({said})." if why and said else f"{why}." if why else ""
