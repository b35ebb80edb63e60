"""Notifications of the browser, also while the site is closed: encrypted for it, and signed by us (RFC 8291, 8292)."""

import json
import logging
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from py_vapid import Vapid02
from pywebpush import WebPusher

from foundation import clock, outgoing
from foundation.outgoing import Result
from messaging import brands, push, wiring
from messaging.delivery import (
    CHANNELS,
    About,
    Accepted,
    Channel,
    Form,
    InDoubt,
    Later,
    Letter,
    Line,
    Outcome,
    Returned,
    Setting,
    Unreachable,
)
from messaging.models import PushSubscription
from profiles.models import Profile

log = logging.getLogger(__name__)
_PATIENCE = 15.0  # seconds that all browsers of a person may take, whatever their makers do
_LASTS = 24 * 3_600  # seconds that its maker keeps it for a browser that is not there
_LINK = re.compile(r"https?://[^\s<>\"']+")
_LONGEST_URL = 1_000  # all of it is at most 4,096 bytes, encrypted
_GONE = {404, 410}


@CHANNELS.register
class WebPush(Channel):
    key = "web_push"
    label = "browser notification"
    about = "Notifies people in their browsers, also while your site is closed, once they allowed it there."
    icon = "notifications_active"
    form = Form(subject="Title", rich=False, longest=500)
    test_to = "The id of somebody with such a browser"
    settings = (Setting(push.KEY, "Signing key", "Made by us; browsers know us by it.", make=push.new_key),)

    def address(self, profile: Profile) -> str:
        return self.addresses([profile])[profile.id]

    def addresses(self, profiles: Sequence[Profile]) -> dict[UUID, str]:
        """Their id, since a message goes to all of their browsers."""
        reached = push.reached([profile.id for profile in profiles])
        return {one.id: (one.external_id or "") if one.id in reached else "" for one in profiles}

    def told(self, address: str) -> str:
        return f"The browsers of {address}"

    def copied(self) -> list[tuple[str, str, str]]:
        line = f'importScripts("{settings.BASE_URL}{reverse("messaging:in_app_worker")}");'
        return [
            ("Service worker", line, "The file /cairn-worker.js of your site, or a line of the worker that you have.")
        ]

    @contextmanager
    def line(self) -> Iterator[Line]:
        wired = wiring.wired(self.key)
        if lack := wired.lack(type(self)):
            raise Unreachable(f"The channel browser notification {lack}.")
        yield _PushLine(Vapid02.from_raw(push.private_key().encode()), brands.current().sender_address)


class _PushLine(Line):
    def __init__(self, key: Vapid02, contact: str) -> None:
        self._key, self._contact = key, contact

    def send(self, letter: Letter) -> Outcome:
        """To all of their browsers, while the time lasts; it was taken if one took it. The gone are forgotten."""
        ends_at = time.monotonic() + _PATIENCE
        outcomes = [self._within(ends_at, browser, letter) for browser in push.of(letter.address)]
        order = (Accepted, InDoubt, Later, Returned)
        return min(
            outcomes,
            key=lambda one: order.index(type(one)),
            default=Returned("No browser of theirs lets us notify it any more."),
        )

    def _within(self, ends_at: float, browser: PushSubscription, letter: Letter) -> Outcome:
        """To one of them; whatever is wrong with it, those behind it have their turn."""
        left = ends_at - time.monotonic()
        if left <= 0:
            return Later("Their other browsers took all the time that there was.")
        try:
            sealed = _sealed(browser, letter)
        except Exception:
            log.exception("message %s cannot be encrypted for a browser", letter.id)
            return Returned("It cannot be encrypted for the browser.")
        try:
            return self._to(browser, letter, sealed, min(outgoing.TIMEOUT, left))
        except Exception as error:
            log.exception("handing message %s to a browser failed in a way that nobody foresaw", letter.id)
            return InDoubt(f"Nobody knows how far handing it over got ({type(error).__name__}).", About.MESSAGE)

    def _to(self, browser: PushSubscription, letter: Letter, sealed: bytes, timeout: float) -> Outcome:
        at = clock.wall()
        headers = {
            **self._key.sign(self._claims(browser.endpoint, int(at.timestamp()))),
            "Content-Type": "application/octet-stream",
            "Content-Encoding": "aes128gcm",
            "TTL": str(_LASTS),
            "Urgency": "high" if letter.urgent else "normal",
            # One of ours that was not shown yet is taken the place of by its repetition.
            "Topic": letter.id.hex,
        }
        found = outgoing.post(browser.endpoint, sealed, headers=headers, now=at, timeout=timeout)
        if found.status in _GONE:
            browser.delete()
            return Returned("The browser lets us notify it no more.")
        match found.result:
            case Result.DONE:
                return Accepted()
            case Result.LATER:
                return Later(f"The browser's maker did not take it. {found.reason}")
            case Result.IN_DOUBT:
                # Whoever registers a browser names the endpoint: it must not count against everybody's channel.
                return InDoubt(f"It was handed to the browser's maker. {found.reason}", About.MESSAGE)
            case Result.REFUSED:
                return Returned(f"The browser's maker refused it. {found.reason}")

    def _claims(self, endpoint: str, now: int) -> dict[str, str | int]:
        parts = urlsplit(endpoint)
        audience = f"{parts.scheme}://{parts.netloc}"
        return {"aud": audience, "exp": now + 12 * 3_600, "sub": f"mailto:{self._contact}"}


def _sealed(browser: PushSubscription, letter: Letter) -> bytes:
    """What it says, for that browser alone to read."""
    subscription = {"endpoint": browser.endpoint, "keys": {"p256dh": browser.p256dh, "auth": browser.auth}}
    sealed: bytes = WebPusher(subscription).encode(_said(letter))["body"]
    return sealed


def _said(letter: Letter) -> bytes:
    """What the worker on the site shows: a click leads to the first link that is named."""
    found = _LINK.search(letter.text)
    words = _LINK.sub("", letter.text).strip().rstrip(":").strip()
    url = found[0].rstrip(".,;:)") if found and len(found[0]) <= _LONGEST_URL else ""
    said = {"id": str(letter.id), "title": letter.subject[:120], "body": words, "url": url}
    return json.dumps(said, ensure_ascii=False).encode()
