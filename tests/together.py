"""Which tests one process does after one another: those that start whole installations share one of them."""

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

_TOGETHER = ("tests/crash/", "tests/config/embedded/test_lending.py", "tests/profiles/test_tracking_client.py")


class Together(LoadScopeScheduling):  # type: ignore[misc]
    """Goes by the places of tests, and begins with what is the most; every other test is on its own.

    Marks of groups are not looked at: pytest-xdist does not see them under pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        return next((place for place in _TOGETHER if nodeid.startswith(place)), nodeid)
