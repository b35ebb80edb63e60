"""The loops of consent: what is past its time."""

from datetime import datetime

from consent import expiring, forgetting
from foundation.loops import loop


@loop("consent.forget")
def forget(now: datetime) -> int:
    """Drops what is past its time."""
    return forgetting.forget(now)


@loop("consent.expire")
def expire(now: datetime) -> int:
    """Writes down which consents have run out."""
    return expiring.tick(now)
