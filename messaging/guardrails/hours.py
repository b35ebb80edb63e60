"""When people sleep, and when they like to be written to, where they are."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from messaging import limits
from messaging.judging import ALLOW, GUARDRAILS, Candidate, Defer, Guardrail, Verdict
from messaging.models import Limits
from messaging.rendering import zone_of

_DAY = timedelta(days=1)


@GUARDRAILS.register
class Hours(Guardrail):
    key = "hours"
    label = "Is at a good hour"
    order = 90

    def judge(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[UUID, Verdict]:
        waiting = any(not one.topic.transactional for one in candidates)
        set_to = limits.current() if waiting else Limits()
        return {one.id: ALLOW if one.topic.transactional else _verdict(one, set_to, now) for one in candidates}


def _verdict(one: Candidate, set_to: Limits, now: datetime) -> Verdict:
    """What they chose counts in place of what we think is quiet."""
    chosen = one.preference.hours_from, one.preference.hours_to
    opens, closes = chosen if chosen[0] is not None else (set_to.quiet_to, set_to.quiet_from)
    if opens is None or closes is None:
        return ALLOW
    zone = zone_of(one.profile, one.preference)
    until = next_within(opens, closes, zone, now)
    if until <= now:
        return ALLOW
    hours = f"{opens:%H:%M} to {closes:%H:%M}"
    why = f"likes to be written to from {hours}" if chosen[0] is not None else f"is written to from {hours}"
    then = until.astimezone(zone)
    return Defer(
        until,
        f"It is {now.astimezone(zone):%H:%M} where {one.profile} is, who {why}; next on {then:%-d %B at %H:%M}.",
        {"hours": hours, "zone": zone.key, "until": until.isoformat()},
    )


def next_within(opens: time, closes: time, zone: ZoneInfo, now: datetime) -> datetime:
    """The first moment, from `now` on, at which a clock on the wall there reads from `opens` on and before `closes`.

    The window may cross midnight. A time that is skipped when clocks change is the next that there is, and of one that
    comes twice, either counts.
    """
    at = now.astimezone(UTC)
    while not _is_within(opens, closes, (reads := at.astimezone(zone).replace(tzinfo=None)).time()):
        ahead = datetime.combine(reads, opens) - reads
        then = at + (ahead if ahead > timedelta(0) else ahead + _DAY)
        at = _change(zone, at, then) or then
    return at


def _is_within(opens: time, closes: time, reads: time) -> bool:
    return opens <= reads < closes if opens < closes else reads >= opens or reads < closes


def _change(zone: ZoneInfo, after: datetime, until: datetime) -> datetime | None:
    """When clocks there change, within a day at most; None if they do not."""

    def offset(at: datetime) -> timedelta | None:
        return at.astimezone(zone).utcoffset()

    before = offset(after)
    if offset(until) == before:
        return None
    low, high = after.replace(microsecond=0), until
    while high - low > timedelta(seconds=1):
        middle = (low + (high - low) / 2).replace(microsecond=0)
        low, high = (middle, high) if offset(middle) == before else (low, middle)
    return high.replace(microsecond=0)
