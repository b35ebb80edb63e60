"""Named places at which a test may have a worker die or wait. While nothing is armed, they are an empty call."""

from collections.abc import Callable

Act = Callable[[str], None]
_act: Act | None = None


def reach(name: str) -> None:
    """Says that the worker has come to the place of that name."""
    if _act is not None:
        _act(name)


def arm(act: Act | None) -> None:
    """Has `act` called with the name of each place that is reached; None: nothing is."""
    global _act
    _act = act
