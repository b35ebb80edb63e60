"""Limits: how much is enough, how long to leave people in peace, and when they sleep. One row, off out of the box."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from django.db import transaction

from consent.models import Topic
from foundation import wake, wording
from foundation.errors import Invalid, Problem
from foundation.sql import statements
from messaging.delivery import CHANNELS, label
from messaging.models import Cap, Limits
from staff import audit

FIELDS = ("topic_cooldown", "template_cooldown", "quiet_from", "quiet_to")
LONGEST = 2160  # hours: 90 days
_ONLY = 1
_RAILS = ["caps", "cooldown", "hours"]
_sql = statements("messaging", "limits")


@dataclass(frozen=True, slots=True)
class Most:
    """At most `most` messages in `hours`, to a person or to all people of a company; "" means any."""

    most: int
    hours: int
    counts: str = Cap.Counts.PERSON
    channel: str = ""
    topic: str = ""

    def sentence(self) -> str:
        what = "1 message" if self.most == 1 else f"{self.most:,} messages"
        about = f" about {self.topic}" if self.topic else ""
        by = f" by {label(self.channel)}" if self.channel else ""
        who = "a company" if self.counts == Cap.Counts.ACCOUNT else "a person"
        return f"at most {what}{about}{by} to {who} in {window(self.hours)}"


def current() -> Limits:
    """The limits as they stand; where none were set, those that limit nothing."""
    return Limits.objects.filter(pk=_ONLY).first() or Limits(pk=_ONLY)


def caps() -> list[Cap]:
    return list(Cap.objects.select_related("topic").order_by("id"))


def save(*, now: datetime, caps: Sequence[Most] | None = None, **fields: Any) -> Limits:
    """Changes what is given, all or nothing; `caps` takes the place of all that there are.

    What waits because of a limit is looked at again at once.
    """
    topics = dict(Topic.objects.values_list("slug", "id"))
    problems = [p for place, cap in enumerate(caps or ()) for p in _check(cap, f"caps[{place}]", topics)]
    with transaction.atomic():
        Limits.objects.bulk_create([Limits(pk=_ONLY)], ignore_conflicts=True)
        row = Limits.objects.select_for_update().get(pk=_ONLY)
        before = _said(row)
        for name, value in fields.items():
            if name not in FIELDS:
                raise TypeError(f"there is no limit {name!r}")
            setattr(row, name, value)
        if problems := [*problems, *_check_row(row)]:
            raise Invalid(problems)
        row.save()
        if caps is not None:
            row.caps.all().delete()
            Cap.objects.bulk_create(
                [
                    Cap(
                        limits=row,
                        counts=cap.counts,
                        channel=cap.channel,
                        topic_id=topics.get(cap.topic),
                        most=cap.most,
                        hours=cap.hours,
                    )
                    for cap in dict.fromkeys(caps)
                ]
            )
        after = _said(row)
        if after != before:
            said = "; ".join(after) or "none"
            audit.record("limits.changed", "limits", "limits", f"Changed the limits. They are now: {said}.")
            release(_RAILS, now=now)
    return row


def window(hours: int) -> str:
    """So many hours in words: in days where they are whole."""
    return wording.plural(hours // 24, "day") if hours % 24 == 0 else wording.plural(hours, "hour")


def sentences() -> list[str]:
    """The limits in words, one each."""
    return _said(current())


def release(guardrails: Sequence[str], *, now: datetime) -> int:
    """Has messages that these guardrails put off judged again at once, since what they rest on changed; how many."""
    released = _sql.run("release", {"guardrails": list(guardrails), "now": now})
    if released:
        wake.wake("messaging.dispatch")
    return released


def _said(row: Limits) -> list[str]:
    found = row.caps.select_related("topic").order_by("id")
    said = [
        Most(cap.most, cap.hours, cap.counts, cap.channel, cap.topic.name if cap.topic else "").sentence()
        for cap in found
    ]
    for hours, what in ((row.topic_cooldown, "topic"), (row.template_cooldown, "template")):
        if hours:
            said.append(f"{window(hours)} between two messages of the same {what}")
    if row.quiet_from is not None and row.quiet_to is not None:
        said.append(f"quiet from {row.quiet_from:%H:%M} to {row.quiet_to:%H:%M} where the person is")
    return said


def _check(cap: Most, path: str, topics: dict[str, int]) -> list[Problem]:
    problems = []
    if not 1 <= cap.most <= 1_000:
        problems.append(Problem(f"{path}.most", "must be between 1 and 1,000 messages"))
    if not 1 <= cap.hours <= LONGEST:
        problems.append(Problem(f"{path}.hours", f"must be between 1 and {LONGEST:,} hours (90 days)"))
    if cap.counts not in Cap.Counts.values:
        problems.append(Problem(f"{path}.counts", "must be person or account"))
    if cap.channel and cap.channel not in CHANNELS:
        problems.append(Problem(f"{path}.channel", f"must be one of {', '.join(CHANNELS.keys())}, or empty for all"))
    if cap.topic and cap.topic not in topics:
        problems.append(Problem(f"{path}.topic", f"there is no topic {cap.topic!r}"))
    return problems


def check(fields: Mapping[str, Any]) -> None:
    """`Invalid` with everything that is wrong with these fields."""
    if problems := _check_row(Limits(**fields)):
        raise Invalid(problems)


def _check_row(row: Limits) -> list[Problem]:
    problems = [
        Problem(name, f"must be between 0 (none) and {LONGEST:,} hours (90 days)")
        for name in ("topic_cooldown", "template_cooldown")
        if not isinstance(getattr(row, name), int) or not 0 <= getattr(row, name) <= LONGEST
    ]
    ends = (row.quiet_from, row.quiet_to)
    if any(end is not None and not isinstance(end, time) for end in ends):
        problems.append(Problem("quiet_from", "must be a time of day"))
    elif (ends[0] is None) != (ends[1] is None):
        problems.append(Problem("quiet_from", "needs a beginning and an end, or neither"))
    elif ends[0] is not None and ends[0] == ends[1]:
        problems.append(Problem("quiet_to", "must not be the same as the beginning"))
    return problems
