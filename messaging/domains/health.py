"""How receivers take our mail: the share that they mark as spam, by receiver and by the day of sending (CO-19).

The large mailbox providers begin to mind above one complaint in a thousand mails, and turn mail away above three. At
that share, what can wait is stopped to that receiver, and staff open it again when they know why.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings

from foundation.sql import statements
from messaging import lanes
from messaging.delivery import CHANNELS
from messaging.domains.models import MailDay
from messaging.models import Lane

WARN, STOP = 0.001, 0.003
LEAST = 3
"""Complaints below which no share says anything: one of a hundred may be a slip of a finger."""

DAYS = 7
"""How long ago mails may have been sent whose complaints stop anything."""

_sql = statements("messaging", "domains")


@dataclass(frozen=True, slots=True)
class Day:
    """What a receiver took on a day, and how much of that was marked as spam since."""

    day: date
    place: str
    sent: int
    complained: int

    @property
    def share(self) -> float:
        return self.complained / self.sent if self.sent else 0.0


def count(addresses: Iterable[str], now: datetime) -> None:
    """Counts mails that were taken just now, in the transaction that says so."""
    email = CHANNELS["email"]()
    places = Counter(email.place(address) for address in addresses if address)
    if places:
        names, counts = zip(*sorted(places.items()), strict=True)
        _sql.run("count_sent", {"day": _today(now), "places": list(names), "counts": list(counts)})


def days(now: datetime, back: int = DAYS) -> list[Day]:
    """The last days, today among them, the latest first, and on each the largest receivers first."""
    first = _today(now) - timedelta(days=back - 1)
    zone = ZoneInfo(settings.PROJECT_TIME_ZONE)
    since = datetime.combine(first, time(), zone)
    email = CHANNELS["email"]()
    marked: Counter[tuple[date, str]] = Counter(
        (day, email.place(address))
        for day, address in _sql.rows("complaints", {"since": since, "zone": settings.PROJECT_TIME_ZONE})
    )
    rows = MailDay.objects.filter(day__gte=first).order_by("-day", "-sent", "place")
    return [Day(row.day, row.place, row.sent, marked[row.day, row.place]) for row in rows]


def tick(now: datetime) -> int:
    """Stops what can wait to receivers who mark too much as spam; to how many that is new."""
    if not settings.STOP_AT_COMPLAINTS:
        return 0
    too_many = [one for one in days(now) if one.complained >= LEAST and one.share >= STOP] if _any(now) else []
    if not too_many:
        return 0
    known = Lane.objects.filter(channel="email", urgent=False, reopened_at__isnull=False)
    opened = {place: _today(at) for place, at in known.values_list("place", "reopened_at") if at}
    stopped = 0
    for one in too_many:
        if one.place not in opened or one.day > opened[one.place]:  # what somebody has looked at counts no more
            stopped += lanes.stop("email", one.place, why=_why(one), now=now)
    return stopped


def _any(now: datetime) -> bool:
    """Whether there is any complaint to speak of, which costs nothing to ask."""
    since = now - timedelta(days=DAYS)
    return len(_sql.rows("complaints", {"since": since, "zone": settings.PROJECT_TIME_ZONE})) >= LEAST


def _why(one: Day) -> str:
    return (
        f"Of {one.sent:,} mails that {one.place} took on {one.day:%-d %B %Y}, {one.complained:,} were marked as spam"
        f" ({one.share:.2%}); at {STOP:.1%} mailbox providers begin to turn mail away."
    )


def _today(now: datetime) -> date:
    return now.astimezone(ZoneInfo(settings.PROJECT_TIME_ZONE)).date()
