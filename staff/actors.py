"""Who acts now: a member of staff, a key, a command, or the system itself. Kept a thread and a task each."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponse

_actor: ContextVar[str] = ContextVar("actor", default="system")


def current() -> str:
    """`user:ada`, `key:Website`, `command:import_events` or `system`."""
    return _actor.get()


@contextmanager
def acting_as(actor: str) -> Iterator[None]:
    """Says who acts for the time of the block."""
    token = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(token)


def become(actor: str) -> None:
    """Says who acts until the end of the `acting_as` around it, for those who learn it only on the way."""
    _actor.set(actor)


class ActorMiddleware:
    """Names the signed-in member of staff as the one who acts."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Only the admin has sessions; customers' pages and the APIs must not touch one.
        if not request.path.startswith("/admin/"):
            return self.get_response(request)
        user = request.user
        with acting_as(f"user:{user.get_username()}" if user.is_authenticated else "system"):
            return self.get_response(request)
