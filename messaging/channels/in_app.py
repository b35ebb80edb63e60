"""Messages on the customer's own site: an inbox, a banner or a window, shown by a small script that we serve."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from django.conf import settings
from django.db import DatabaseError
from django.urls import reverse

from foundation import clock
from messaging import wiring
from messaging.delivery import (
    CHANNELS,
    Accepted,
    Channel,
    Form,
    Later,
    Letter,
    Line,
    Option,
    Outcome,
    Returned,
    Setting,
    Unreachable,
)
from messaging.inapp import identity, inbox
from profiles.models import Profile

log = logging.getLogger(__name__)

LOOKS = (("inbox", "In the inbox"), ("banner", "As a banner, too"), ("modal", "In a window, too"))


def _origins(text: str) -> str:
    for line in text.splitlines():
        try:
            parts = urlsplit(line.strip())
            plain = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            plain = False
        if line.strip() and not (plain and not parts.path and not parts.query and not parts.username):
            return "must be sites such as https://app.example.com, one a line, without a path"
    return ""


def _days(text: str) -> str:
    fits = text.isascii() and text.isdecimal() and len(text) < 4 and 1 <= int(text) <= 365
    return "" if fits else "must be a whole number of days from 1 to 365"


@CHANNELS.register
class InApp(Channel):
    key = "in_app"
    label = "in-app message"
    about = "Shows messages on your own site or app, to people who are signed in there."
    icon = "notifications"
    form = Form(subject="Title", longest=4_000, options=(Option("look", "Shown", LOOKS),))
    knows_doubles = True  # one message is one row of an inbox
    tells_clicks = True
    can_test = False
    test_to = "The id of somebody to try it on, such as your own"
    tries_on_person = True
    settings = (
        Setting(
            "origins",
            "Sites",
            "Where it is shown, such as https://app.example.com, one a line. No other site may ask for an inbox.",
            lines=True,
            flaw=_origins,
        ),
        Setting("days", "Kept for days", "How long a message lies in an inbox.", usual="30", flaw=_days),
        Setting(
            identity.KEY,
            "Identity key",
            "Your server signs the ids of its users with it. Whoever has it can read every inbox: keep it there.",
            make=identity.new_key,
            shown=True,
            renewable=True,
        ),
    )

    def address(self, profile: Profile) -> str:
        return profile.external_id or ""

    def told(self, address: str) -> str:
        return f"The inbox of {address}"

    def copied(self) -> list[tuple[str, str, str]]:
        address = settings.BASE_URL + reverse("messaging:in_app_script")
        tag = f'<script src="{address}" data-user="USER ID" data-signature="SIGNATURE" defer></script>'
        return [("Script", tag, "On every page of your site; your server fills in who is signed in, and signs for it.")]

    @contextmanager
    def line(self) -> Iterator[Line]:
        wired = wiring.wired(self.key)
        if lack := wired.lack(type(self)):
            raise Unreachable(f"The channel in-app message {lack}.")
        yield _InboxLine(int(wired.values["days"]))


class _InboxLine(Line):
    def __init__(self, days: int) -> None:
        self._days = days

    def send(self, letter: Letter) -> Outcome:
        now = clock.now()
        look = str(letter.options.get("look") or LOOKS[0][0])
        try:
            is_there = inbox.place(letter.id, look=look, until=inbox.ends(now, self._days), now=now)
        except DatabaseError as error:
            log.error("a message could not be put into an inbox (%s)", type(error).__name__)
            return Later("It could not be put into the inbox for now.")
        return Accepted() if is_there else Returned("There is no such person any more.")
