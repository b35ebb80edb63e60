"""Who has a journey open at the same time: said every few seconds by their browsers, and forgotten soon after."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from journeys.models import Journey, Presence

LASTS = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Other:
    """Somebody else who is here, and the key of the step that they have open."""

    who: str
    step: str


def here(journey: Journey, who: str, *, step: str = "", now: datetime) -> None:
    Presence.objects.bulk_create(
        [Presence(journey=journey, who=who, step=step[:100], at=now)],
        update_conflicts=True,
        unique_fields=["journey", "who"],
        update_fields=["step", "at"],
    )
    Presence.objects.filter(at__lt=now - timedelta(days=1)).delete()


def others(journey: Journey, who: str, *, now: datetime) -> list[Other]:
    rows = Presence.objects.filter(journey=journey, at__gte=now - LASTS).exclude(who=who).order_by("who")
    return [Other(row.who, row.step) for row in rows[:20]]
