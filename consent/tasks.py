"""The loop of consent: what is past its time."""

from datetime import datetime

from consent import optins
from foundation.loops import loop


@loop("consent.forget")
def forget(now: datetime) -> int:
    """Drops what is past its time."""
    return optins.forget(now)
