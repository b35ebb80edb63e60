"""A message that a human acts on: it becomes a task of a team, such as to call somebody."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from foundation import clock, registry
from messaging import wiring
from messaging.delivery import (
    CHANNELS,
    Accepted,
    Channel,
    Form,
    Letter,
    Line,
    Outcome,
    Returned,
    Setting,
    Unreachable,
)
from messaging.duties import Duty
from profiles.models import Profile
from staff.models import Team

_DESK = "our team"


def _teams() -> Sequence[tuple[str, str]]:
    return list(Team.objects.order_by("name").values_list("slug", "name"))


@CHANNELS.register
class Task(Channel):
    key = "task"
    label = "task"
    about = "Gives a team of yours something to do for somebody, such as a call; it stands in their list of tasks."
    icon = "task_alt"
    form = Form(subject="What to do", rich=False, longest=2_000)
    knows_doubles = True  # one message is one task
    can_test = False
    test_to = "The id of somebody to try it on"
    tries_on_person = True
    settings = (Setting("team", "Team", "Who does it.", among=_teams),)

    def address(self, profile: Profile) -> str:
        """The same for everybody: it goes to the team, and is about the person."""
        return _DESK

    @contextmanager
    def line(self) -> Iterator[Line]:
        wired = wiring.wired(self.key)
        if lack := wired.lack(type(self)):
            raise Unreachable(f"The channel task {lack}.")
        yield _TaskLine(wired.values["team"])


class _TaskLine(Line):
    def __init__(self, team: str) -> None:
        self._team = team

    def send(self, letter: Letter) -> Outcome:
        duty = Duty(letter.id, self._team, letter.subject, letter.text, clock.now())
        if any(registry.duties.ask(duty)):
            return Accepted()
        return Returned(f"Nobody took it: there is no team {self._team} any more, or nobody whom it is about.")
