"""The loop of segments: time."""

from datetime import datetime

from foundation.loops import loop
from segments import sweep as sweeping


@loop("segments.sweep")
def sweep(now: datetime) -> int:
    return sweeping.tick(now)
