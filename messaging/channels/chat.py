"""A word to our own staff about a person, in the chat that they have open anyway."""

from collections.abc import Iterator
from contextlib import contextmanager

from messaging import apprising, wiring
from messaging.delivery import CHANNELS, Channel, Form, Letter, Line, Outcome, Setting, Unreachable
from profiles.models import Profile

_ROOM = "our chat"


@CHANNELS.register
class Chat(Channel):
    key = "chat"
    label = "staff chat"
    about = "Tells your own people about somebody, in a room of Slack, Teams, Discord, Google Chat or the like."
    icon = "forum"
    form = Form(subject="Title", rich=False, longest=2_000)
    settings = (
        Setting(
            "url",
            "Room",
            "Its address as Apprise writes it, such as slack://TokenA/TokenB/TokenC/#success.",
            secret=True,
            flaw=apprising.flaw,
        ),
    )

    def address(self, profile: Profile) -> str:
        """The same for everybody: it goes to the room, and is about the person."""
        return _ROOM

    @contextmanager
    def line(self) -> Iterator[Line]:
        wired = wiring.wired(self.key)
        if lack := wired.lack(type(self)):
            raise Unreachable(f"The channel staff chat {lack}.")
        yield _ChatLine(wired.values["url"])


class _ChatLine(Line):
    def __init__(self, url: str) -> None:
        self._url = url

    def send(self, letter: Letter) -> Outcome:
        return apprising.send(self._url, letter.text, title=letter.subject)
