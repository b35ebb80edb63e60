"""All that happened, counted exactly: for a demo or a small installation, since it reads whole tables."""

from dataclasses import dataclass

from foundation.sql import statements
from segments.models import Segment

_sql = statements("insights", "summary")


@dataclass(frozen=True, slots=True)
class JourneyFigures:
    """What became of those who entered a journey, and how many did not enter, by the reasons given."""

    name: str
    entered: int
    on_the_way: int
    completed: int
    left: int
    failed: int
    reached_goal: int
    steps: int
    refused: int


@dataclass(frozen=True, slots=True)
class MessageFigures:
    """How many messages are in a state, and for what reason (a guardrail's name; "" where none held them back)."""

    state: str
    reason: str
    number: int


def people() -> tuple[int, int, int]:
    """People, those of them who are anonymous, and companies."""
    row = _sql.rows("people")[0]
    return int(row[0]), int(row[1]), int(row[2])


def events() -> list[tuple[str, int]]:
    """Each kind of event that came from outside, and how many of it are stored; the most frequent first."""
    return [(name, n) for name, n in _sql.rows("events")]


def events_in_rollup() -> int:
    """The same in all, as the daily counts have it."""
    return int(_sql.rows("events_in_rollup")[0][0])


def rejected() -> list[tuple[str, int]]:
    """Why data was refused, and how often."""
    return [(reason, n) for reason, n in _sql.rows("rejected")]


def segments() -> list[tuple[str, int, str]]:
    """Each live segment with its size, counted from its members, and its sentence."""
    live = (
        Segment.objects.filter(status=Segment.Status.LIVE)
        .select_related("version")
        .order_by("family", "position", "name")
    )
    sizes = dict(_sql.rows("sizes"))
    return [(one.name, sizes.get(one.pk, 0), one.version.sentence if one.version else "") for one in live]


def journeys() -> list[JourneyFigures]:
    return [JourneyFigures(*row) for row in _sql.rows("journeys")]


def messages() -> list[MessageFigures]:
    return [MessageFigures(*row) for row in _sql.rows("messages")]
