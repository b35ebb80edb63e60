"""The loops of consent: what is past its time."""

from datetime import datetime

from consent import anchoring, expiring, forgetting, retention, signups
from foundation.loops import loop


@loop("consent.forget")
def forget(now: datetime) -> int:
    """Drops what is past its time."""
    return forgetting.forget(now) + retention.run(now)


@loop("consent.expire")
def expire(now: datetime) -> int:
    """Writes down which consents have run out."""
    return expiring.tick(now)


@loop("consent.anchor")
def anchor(now: datetime) -> int:
    """Writes down the ends of the ledger's chains, once a day."""
    return anchoring.tick(now)


@loop("consent.sign_up")
def sign_up(now: datetime) -> int:
    """Sees to what was sent by sign-up forms."""
    return signups.tick(now)
