"""A message handed to a program of yours over HTTPS, signed as Standard Webhooks, to do with as it likes."""

import base64
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from foundation import addresses, clock, outgoing
from foundation.outgoing import Result
from messaging import wiring
from messaging.delivery import (
    CHANNELS,
    About,
    Accepted,
    Channel,
    Envelope,
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
from profiles.models import Profile


def _secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


@CHANNELS.register
class Webhook(Channel):
    key = "webhook"
    label = "webhook"
    about = "Hands each message to a program of yours, which delivers it in a way that Cairn does not know."
    icon = "webhook"
    form = Form()
    knows_doubles = True  # by `webhook-id`, which is the same on every try (SS-02)
    settings = (
        Setting("url", "Address", "Where it is posted, such as https://example.com/messages.", flaw=addresses.flaw),
        Setting(
            "secret",
            "Signing secret",
            "Your program verifies the header webhook-signature with it, as Standard Webhooks says.",
            make=_secret,
            shown=True,
            renewable=True,
        ),
    )

    def address(self, profile: Profile) -> str:
        return profile.external_id or ""

    def headers(self, envelope: Envelope) -> dict[str, str]:
        return {
            "topic": envelope.topic,
            "transactional": "yes" if envelope.transactional else "no",
            "campaign": envelope.campaign,
            "unsubscribe": envelope.unsubscribe,
        }

    @contextmanager
    def line(self) -> Iterator[Line]:
        wired = wiring.wired(self.key)
        if lack := wired.lack(type(self)):
            raise Unreachable(f"The channel webhook {lack}.")
        yield _WebhookLine(wired.values["url"], wiring.taken(self.key, "secret", now=clock.wall()))


class _WebhookLine(Line):
    def __init__(self, url: str, signing: list[str]) -> None:
        self._url, self._signing = url, signing

    def send(self, letter: Letter) -> Outcome:
        at = clock.wall()
        body = json.dumps(_said(letter), separators=(",", ":")).encode()
        signed = outgoing.sign_headers(self._signing, str(letter.id), at, body)
        found = outgoing.post(self._url, body, headers={"Content-Type": "application/json", **signed}, now=at)
        match found.result:
            case Result.DONE:
                return Accepted()
            case Result.LATER:
                return Later(f"The program at {self._url} did not take it. {found.reason}", About.CHANNEL)
            case Result.IN_DOUBT:
                return InDoubt(f"It was posted to {self._url}. {found.reason}")
            case Result.REFUSED:
                return Returned(f"The program at {self._url} refused it. {found.reason}")


def _said(letter: Letter) -> dict[str, object]:
    about = dict(letter.headers)
    return {
        "type": "message.send",
        "id": str(letter.id),
        "to": letter.address,
        "topic": about.get("topic", ""),
        "transactional": about.get("transactional") == "yes",
        "campaign": about.get("campaign", ""),
        "unsubscribe": about.get("unsubscribe") or None,
        "subject": letter.subject,
        "text": letter.text,
        "html": letter.html,
        "test": bool(letter.options.get("test")),
    }
