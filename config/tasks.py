"""The loop of the house itself."""

from datetime import datetime

from config import recovering
from foundation.loops import loop


@loop("config.witness")
def witness(now: datetime) -> int:
    """Writes down outside the database how far it has come."""
    recovering.remember()
    return 0
