"""Not so soon again: some hours between two messages of the same topic, or of the same template."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from messaging import history, judging, limits
from messaging.guardrails.caps import SOON
from messaging.history import History, Sent
from messaging.judging import ALLOW, GUARDRAILS, Candidate, Defer, Guardrail, Verdict
from messaging.models import Limits


@GUARDRAILS.register
class Cooldown(Guardrail):
    key = "cooldown"
    label = "Is not too soon after the last"
    order = 80

    def judge(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[UUID, Verdict]:
        verdicts: dict[UUID, Verdict] = {one.id: ALLOW for one in candidates}
        cooled = [one for one in candidates if not one.topic.transactional]
        set_to = limits.current() if cooled else Limits()
        longest = max(set_to.topic_cooldown, set_to.template_cooldown)
        if not longest:
            return verdicts
        past = history.of_people(cooled, now - timedelta(hours=longest))
        going = judging.going_on(Cooldown, cooled, now)
        for one in judging.by_rank(cooled):
            if deferral := _deferral(one, set_to, past, now):
                verdicts[one.id] = deferral
            elif one.id in going:
                past.add(one.profile.id, one.message, now)
        return verdicts


def _deferral(one: Candidate, set_to: Limits, past: History, now: datetime) -> Defer | None:
    """Until both cooldowns are over, with the one that ends last as the reason."""
    sent = past.of(one.profile.id, one.message)
    same_topic = [other for other in sent if other.topic_id == one.topic.id]
    same_template = [other for other in sent if other.template_id == one.message.template_id]
    topic, template = one.topic.name, one.message.template.name
    found: list[tuple[datetime, str, int, Sent]] = []
    for hours, what, alike in (
        (set_to.topic_cooldown, f"gets nothing more about {topic} within", same_topic),
        (set_to.template_cooldown, f"does not get “{template}” again within", same_template),
    ):
        if hours and alike and (over := alike[-1].at + timedelta(hours=hours)) > now:
            found.append((over, what, hours, alike[-1]))
    if not found:
        return None
    until, what, hours, last = max(found, key=lambda one: one[0])
    lost = f" “{last.name}” went first." if last.name else ""
    evidence = {
        "window": limits.window(hours),
        "used": [last.id],
        "lost_to": [last.id] if last.name else [],
        "until": until.isoformat(),
    }
    reason = f"{one.profile} {what} {limits.window(hours)}.{lost}"
    return Defer(min(until, now + SOON) if last.name else until, reason, evidence)
