"""The loop of consent: what is past its time."""

from datetime import datetime

from consent import forgetting
from foundation.loops import loop


@loop("consent.forget")
def forget(now: datetime) -> int:
    """Drops what is past its time."""
    return forgetting.forget(now)
