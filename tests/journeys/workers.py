"""Workers for tests to kill: what `tests.forked` runs."""

import os
import signal
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError


def play(now: datetime, end: datetime) -> None:
    """Plays until `end` on its own, as fast as it can: small batches, so that there are many moments to die at."""
    from journeys import engine

    engine.BATCH, engine.PEOPLE = 3, 2
    while now <= end:
        try:
            if engine.react(now) + engine.advance(now) == 0:
                now += timedelta(hours=6)
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", "") not in ("40001", "40P01"):
                raise


def play_with_poison(now: datetime, profile: str) -> None:
    """Plays what is due, and dies at the step `update` of one person, whatever it was doing."""
    from journeys import engine
    from journeys.steps.update import Update

    answer = Update.answer

    def deadly(self: Update, people: Sequence[Any], at: datetime) -> Mapping[Any, Any]:
        if any(str(one.profile_id) == profile for one in people):
            os.kill(os.getpid(), signal.SIGKILL)
        return answer(self, people, at)

    Update.answer = deadly  # type: ignore[method-assign]
    while engine.react(now) + engine.advance(now):
        pass
