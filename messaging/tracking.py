"""Links that tell us that they were followed: only for those who agreed to that, and only to where the author said.

The address carries nothing but a signed (message, place); where it leads was kept when the message was committed to.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from html import escape, unescape
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from consent import states, tokens
from consent.models import State, Topic
from foundation.sql import statements
from messaging import foot
from messaging.delivery import Letter
from messaging.models import Link, Message
from messaging.outbox import as_json

TOPIC = "tracking"
"""The slug of the topic by which people agree to being tracked (CO-15). Without such a topic, nobody did."""

TRAP = 32_000
"""The place of the link that no person sees, and that no author wrote: who follows it is a program (BT-02)."""

_LONGEST = 4_000
_HREF = re.compile(r'(<a\b[^>]*?\bhref=")([^"]*)(")', re.IGNORECASE)
_PICTURE = re.compile(r'<img src="[^"]*/o/v1\.[^"]*" width="1" height="1" alt="" style="display:block">')
_END = "</body>"
_SMALL = (
    "margin:0 auto;max-width:552px;padding:0 24px 32px;background:#f3f4f6;color:#4b5563;"
    "font:12px/1.6 -apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif"
)
_HIDDEN = (
    'aria-hidden="true" tabindex="-1" style="display:none;visibility:hidden;max-height:0;overflow:hidden;mso-hide:all"'
)
_TRAP_LINK = re.compile(rf'<a href="[^"]*/c/v1\.[^"]*" {re.escape(_HIDDEN)}></a>')
_BAD = re.compile(r"[\x00-\x20\x7f-\uffff\U00010000-\U0010ffff\\]")
_sql = statements("messaging", "clicks")

Asked = tuple[UUID, str]
"""A person and a channel."""


def agreed(asked: Iterable[Asked]) -> set[Asked]:
    """Those who said yes to being tracked, by that channel. A silence is a no, whatever the topic's basis."""
    wanted = set(asked)
    if not settings.TRACK_LINKS or not wanted or not Topic.objects.filter(slug=TOPIC, archived=False).exists():
        return set()
    found = states.find((profile, TOPIC, channel) for profile, channel in wanted)
    return {
        (profile, channel)
        for (profile, _, channel), choice in found.items()
        if choice.topic == TOPIC and choice.state == State.GRANTED
    }


def is_safe(address: str) -> bool:
    """Whether an address leads where it seems to: http or https, a plain host, and nothing that is read in two ways."""
    if len(address) > _LONGEST or _BAD.search(address) or not address.lower().startswith(("http://", "https://")):
        return False
    try:
        parts = urlsplit(address)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        return False
    return port_is_fine and bool(parts.hostname) and "@" not in parts.netloc and "%" not in parts.netloc


def tracked(letter: Letter, known: Mapping[str, int] | None = None) -> Letter:
    """The letter with its links led past us, a trap for programs, and a picture that we serve.

    Its foot says so, with a link that ends it, for mails of before as well; else its plain text stays as it is.
    """
    html, links = wrapped(letter.html, letter.id, known)
    picture = _picture(letter.id) if settings.TRACK_OPENS else ""
    if not links and not picture:
        return letter
    said, text = _foot(letter)
    ours = said + (_trap(letter.id) if links else "") + picture
    return replace(letter, html=_at_the_end(html, ours), text=letter.text + text, links=links)


def _foot(letter: Letter) -> tuple[str, str]:
    """What the foot of a mail says of it, as HTML and as text (CO-15)."""
    if letter.profile is None or _END not in letter.html:
        return "", ""
    words, named = foot.of(letter.language), {"profile": letter.profile, "topic": TOPIC, "channel": letter.channel}
    address = settings.BASE_URL + reverse(
        "consent:unsubscribe", args=[tokens.make("unsubscribe", message=letter.id, **named)]
    )
    link = f'<a href="{escape(address)}" style="color:#4b5563">{escape(words.stop)}</a>'
    html = f'<p style="{_SMALL}">{escape(words.tracked)} {link}</p>'
    return html, f"\n{words.tracked} {words.stop}: {address}\n"


def _at_the_end(html: str, ours: str) -> str:
    """Of a whole mail; what is less than one has no place for it."""
    before, end, after = html.rpartition(_END)
    return f"{before}{ours}{end}{after}" if end else html


def _trap(message: UUID) -> str:
    """A link for programs that follow whatever there is: unseen, unread and out of the keyboard's way."""
    return f'<a href="{escape(address_of(message, TRAP))}" {_HIDDEN}></a>'


def _picture(message: UUID) -> str:
    address = settings.BASE_URL + reverse("messaging:open", args=[tokens.make("open", message=message)])
    return f'<img src="{escape(address)}" width="1" height="1" alt="" style="display:block">'


def wrapped(html: str, message: UUID, known: Mapping[str, int] | None = None) -> tuple[str, dict[str, int]]:
    """The HTML with its links led past us, and where each leads: destination to place.

    Links to our own pages stay as they are: to unsubscribe must work without us counting it. `known` are the places
    that the message has kept from an earlier try.
    """
    places = dict(known or {})

    def lead(found: re.Match[str]) -> str:
        address = unescape(found[2])
        if not is_safe(address) or _is_ours(address):
            return found[0]
        place = places.setdefault(address, max(places.values(), default=-1) + 1)
        return f"{found[1]}{escape(address_of(message, place))}{found[3]}"

    return _HREF.sub(lead, html), places


def _is_ours(address: str) -> bool:
    return address == settings.BASE_URL or address.startswith((f"{settings.BASE_URL}/", f"{settings.BASE_URL}?"))


def address_of(message: UUID, place: int) -> str:
    return settings.BASE_URL + reverse("messaging:click", args=[tokens.make("click", message=message, place=place)])


def shown(message: Message) -> str:
    """The HTML as it was sent, with links that lead straight where they lead: staff who look are no customers."""
    html = _TRAP_LINK.sub("", _PICTURE.sub("", message.html))
    if f"{settings.BASE_URL}/c/" not in html:
        return html
    for link in message.links.all():
        html = html.replace(escape(address_of(message.id, link.place)), escape(link.destination))
    return html


def places_of(messages: Sequence[Message]) -> dict[UUID, dict[str, int]]:
    """The places that messages which were tried before have kept."""
    tried = [message.id for message in messages if message.sending_at is not None]
    found: dict[UUID, dict[str, int]] = {}
    for link in Link.objects.filter(message__in=tried).exclude(place=TRAP) if tried else ():
        found.setdefault(link.message_id, {})[link.destination] = link.place
    return found


def keep(letters: Sequence[Letter]) -> None:
    """Keeps where the links of these lead, in the transaction that commits to sending them (TR-01)."""
    rows = [
        {"message": letter.id, "place": place, "destination": destination}
        for letter in letters
        for destination, place in [*letter.links.items(), *_behind_the_trap(letter)]
    ]
    if rows:
        _sql.run("keep", {"links": as_json(rows)})


def _behind_the_trap(letter: Letter) -> list[tuple[str, int]]:
    """It leads where the first link does: who looks for harm finds none, and is led on like anybody (BT-03)."""
    return [(next(iter(letter.links)), TRAP)] if letter.links and _END in letter.html else []
