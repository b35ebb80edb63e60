"""What is done in the background for those who work here, and their programs."""

from datetime import datetime

from foundation.loops import loop
from staff import idempotency


@loop("staff.forget")
def forget(now: datetime) -> int:
    return idempotency.forget(now)
