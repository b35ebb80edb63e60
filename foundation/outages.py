"""When the database cannot do its work: it is away, full, or takes no writes. Whoever asked may come again later."""

from django.db import InterfaceError, InternalError, OperationalError

_TAKES_NO_WRITES = "25006"


def is_one(error: BaseException) -> bool:
    """Whether it is the database's state that is to blame, and not what was asked."""
    if isinstance(error, InternalError):
        return getattr(error.__cause__, "sqlstate", None) == _TAKES_NO_WRITES
    return isinstance(error, OperationalError | InterfaceError)
