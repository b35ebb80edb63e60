"""What one person reads: a template's version filled in with what is known of them."""

import re
import time
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import reverse

from consent import links, tokens
from consent.models import Preference, Topic
from consent.preferences import is_zone
from consent.visits import language_of
from messaging import brands, dynamic, feedback, foot, languages, liquid
from messaging.delivery import CHANNELS, Envelope, Letter
from messaging.dynamic import Shown
from messaging.languages import Said
from messaging.liquid import Program, Unsayable
from messaging.models import Brand, Message, TemplateVersion
from profiles.models import Profile

_BREAK = re.compile(r"[\r\n\0]")
_ODD = re.compile(r"[\x01-\x1f\x7f\x85\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class Rendered:
    subject: str
    html: str
    text: str


class Desk:
    """Renders a batch: the brand and the time are the same for all of it."""

    def __init__(self, now: datetime, going: Iterable[tuple[Message, Profile]] = ()) -> None:
        """`going`: the batch, so that what is asked of each is asked of all at once."""
        self.now = now
        self.brand = brands.current()
        versions = ((message.template.version, profile.id) for message, profile in going)
        self._shown = dynamic.ask(((version, id) for version, id in versions if version), at=now)

    def letter(self, message: Message, profile: Profile, preference: Preference, address: str) -> Letter:
        """The finished message; `Unsayable` with a sentence where it cannot be made for this person."""
        version = message.template.version
        if version is None:
            raise Unsayable("the template says nothing yet")
        topic, channel = message.topic, CHANNELS[message.channel]()
        unsubscribe = "" if topic.transactional else links.unsubscribe_url(profile, topic.slug, channel.key, message.id)
        preferences = preferences_url(profile, preference, self.now)
        language = language_of(profile, preference)
        values = values_for(
            profile,
            topic,
            channel.key,
            self.brand,
            preferences,
            unsubscribe,
            message.context,
            language,
            feedback.url(message.id),
            self._shown.get((version.pk, profile.id), {}),
        )
        said = languages.best(version, (preference.language, profile.locale))
        rendered = fill(said, values, zone_of(profile, preference))
        longest = channel.form.longest
        if longest is not None and len(rendered.text) > longest:
            raise Unsayable(
                f"It has {len(rendered.text):,} characters for this person; by {channel.label} at most {longest:,} can"
                " be said."
            )
        domain = self.brand.sender_address.rpartition("@")[2]
        envelope = Envelope(
            topic.slug, topic.transactional, message.journey or message.template.slug, domain, unsubscribe
        )
        return Letter(
            id=message.id,
            channel=channel.key,
            message_id=message.message_id or f"<{message.id}@{domain}>",
            sender=sender(self.brand),
            address=address,
            subject=rendered.subject,
            html=rendered.html,
            text=rendered.text,
            headers=channel.headers(envelope),
            options=version.options,
            urgent=topic.transactional,
            profile=profile.id,
            language=language,
        )


def fill(said: Said | TemplateVersion, values: Mapping[str, Any], zone: ZoneInfo) -> Rendered:
    """The three parts, which share one end; `Unsayable` says which of them cannot be made."""
    end, parts = time.monotonic() + liquid.SECONDS, []
    for name, source, html in (
        ("subject", said.subject, False),
        ("HTML", said.html, True),
        ("text", said.text, False),
    ):
        try:
            parts.append(_program(source, html).fill(values, zone=zone, ends_at=end))
        except Unsayable as unsayable:
            raise Unsayable(f"The {name} could not be filled in: {unsayable}.") from unsayable
    subject, markup, text = parts
    return Rendered(_one_line(subject) if said.subject else "", markup, text)


@lru_cache(maxsize=512)
def _program(source: str, html: bool) -> Program:
    return Program(source, html=html)


def _one_line(subject: str) -> str:
    """A header is one line: a value with a break in it could add headers of its own, and fails the message (EM-06)."""
    subject = subject.strip(" ")
    if _BREAK.search(subject):
        raise Unsayable("The subject could not be filled in: a value in it holds a line break.")
    subject = _ODD.sub(" ", subject).strip()
    if not subject:
        raise Unsayable("The subject is empty for this person.")
    return subject[:900]


def values_for(
    profile: Profile,
    topic: Topic,
    channel: str,
    brand: Brand,
    preferences: str,
    unsubscribe: str,
    context: Mapping[str, Any],
    language: str | None = None,
    asks: str = "",
    shown: Shown | None = None,
) -> dict[str, Any]:
    """What a template may name. What is null is missing, as everywhere.

    The foot is in `language`, `asks` is where feedback is given, and `shown` says which parts are for them.
    """
    account = profile.account
    event = _known(context.get("event"))
    return {
        "profile": {
            **_known(profile.attributes),
            **_known({name: getattr(profile, name) for name in (*Profile.COLUMNS, "external_id")}),
            "attributes": _known(profile.attributes),
        },
        "account": {
            **_known(account.attributes),
            **_known({"name": account.name, "external_id": account.external_id}),
            "attributes": _known(account.attributes),
        }
        if account
        else {},
        "event": {**_known(event.get("properties")), **event},
        "data": _known(context.get("data")),
        "links": _known({"preferences": preferences, "unsubscribe": unsubscribe or None, "feedback": asks or None}),
        "brand": brand_values(brand),
        "topic": {"name": topic.name},
        "why": foot.why(topic, channel, brand.name, language),
        "words": foot.words(language),
        "shown": dict(shown or {}),
    }


def _known(values: Any) -> dict[str, Any]:
    return {name: _without_nulls(value) for name, value in values.items() if value is not None} if values else {}


def _without_nulls(value: Any) -> Any:
    return _known(value) if isinstance(value, dict) else value


def brand_values(brand: Brand) -> dict[str, Any]:
    """To Liquid an empty text is true: what the brand leaves empty is missing."""
    values = {name: getattr(brand, name) or None for name in ("name", "logo_url", "colour", "postal_address")}
    return _known(values | {"contact": settings.CONTACT or None})


def sender(brand: Brand) -> str:
    name = _ODD.sub(" ", unicodedata.normalize("NFC", brand.sender_name)).replace('"', "'").strip()
    return f'"{name}" <{brand.sender_address}>' if name else brand.sender_address


def preferences_url(profile: Profile, preference: Preference, now: datetime) -> str:
    """As `consent.links.preferences_url`, for many: their preferences are known already."""
    token = tokens.make("preferences", profile=profile.id, epoch=preference.token_epoch, at=now)
    return settings.BASE_URL + reverse("consent:preferences", args=[token])


def zone_of(profile: Profile, preference: Preference) -> ZoneInfo:
    """Where the person's dates are read: the zone they chose, else the one that is known, else the project's."""
    names = (preference.time_zone, profile.timezone)
    return next((zone for name in names if (zone := _zone(name or ""))), ZoneInfo(settings.PROJECT_TIME_ZONE))


@lru_cache(maxsize=1_000)
def _zone(name: str) -> ZoneInfo | None:
    return ZoneInfo(name) if name and is_zone(name) else None
