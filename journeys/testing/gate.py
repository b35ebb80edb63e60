"""Before a version is published its tests are played: one that fails holds it back, unless somebody says why not."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from foundation.errors import Conflict, Invalid
from foundation.wording import plural
from journeys.models import Journey
from journeys.testing import keeping
from journeys.testing.models import JourneyTest
from journeys.testing.running import Result

_NAMED = 5


class TestsFail(Conflict):
    """A version does not do what its tests expect; `failed` are those."""

    def __init__(self, journey: Journey, failed: Sequence[Result]) -> None:
        self.failed = failed
        super().__init__(
            f"The journey {journey.name} is not published: {said(failed)}. Mend it, or have its tests expect what it"
            " does now; or publish it despite its tests (despite_tests), and say why (reason)."
        )


def failing(journey: Journey, document: Any, *, now: datetime) -> list[Result]:
    """The tests of a journey that do not pass with this document."""
    if not JourneyTest.objects.filter(journey=journey).exists():
        return []
    return [result for result in keeping.run(journey, document, now=now) if not result.passed]


def pass_by(journey: Journey, failed: Sequence[Result], *, despite: bool, reason: str) -> None:
    """Raises `TestsFail` where any did, unless it is published `despite` them, for a reason (`Invalid` without)."""
    if not failed:
        return
    if not despite:
        raise TestsFail(journey, failed)
    if not reason.strip():
        raise Invalid.at("reason", "Say why it is published although tests of it fail.")


def said(failed: Sequence[Result]) -> str:
    """`1 test fails (“Hears nothing at night”)`."""
    names = [f"“{one.name}”" for one in failed]
    more = [f"and {len(names) - _NAMED} more"] if len(names) > _NAMED else []
    return f"{plural(len(names), 'test fails', 'tests fail')} ({', '.join([*names[:_NAMED], *more])})"
