"""What the preference page shows: each choice and how it came about, and how the person is written to."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

from django.conf import settings
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from consent import ages, held, limits, optins, requests, states, suppression, wordings
from consent.answers import ADDRESSES
from consent.choosing import Key, seen
from consent.ledger import EVERYTHING
from consent.models import ConsentRecord, ConsentState, Limit, State, Suppression, Topic
from consent.visits import Visit
from consent.wordings import Wordings
from foundation import registry
from foundation.errors import Invalid, Problem


@dataclass(frozen=True, slots=True)
class ChannelChoice:
    """One question of the page, and what is answered: "granted", "denied", or "" for nothing yet."""

    field: str
    channel: str
    answer: str
    told: str


@dataclass(frozen=True, slots=True)
class TopicChoices:
    topic: Topic
    choices: list[ChannelChoice]


class Page:
    """The page of one person, read once. `posted`: what a form sent that could not be saved, shown as it was sent."""

    def __init__(self, visit: Visit, *, now: datetime, posted: Mapping[str, str]) -> None:
        self.profile, self.preference, self.now, self.posted = visit.profile, visit.preference, now, posted
        self.full, self.fresh = visit.full, visit.fresh
        self._topics = {topic.slug: topic for topic in Topic.objects.filter(archived=False).order_by("name", "slug")}
        self.words = Wordings(self._topics)

    # ── What they get ────────────────────────────────────────────────────────────────────────────────────────────────
    @cached_property
    def keys(self) -> dict[str, Key]:
        """The questions by the names of their fields."""
        return {
            _field(slug, channel): (slug, channel)
            for slug, topic in self._topics.items()
            if not topic.transactional
            for channel in topic.channels
        }

    @cached_property
    def topics(self) -> list[TopicChoices]:
        standing = states.find(((self.profile.id, *key) for key in self.keys.values()), now=self.now)
        records = self._records(standing.values())
        return [
            TopicChoices(topic, [self._choice(topic, channel, standing, records) for channel in topic.channels])
            for topic in self._topics.values()
            if not topic.transactional
        ]

    def _choice(
        self,
        topic: Topic,
        channel: str,
        standing: Mapping[tuple[UUID, str, str], ConsentState],
        records: Mapping[UUID, ConsentRecord],
    ) -> ChannelChoice:
        found = standing.get((self.profile.id, topic.slug, channel))
        answer = found.state if found else ""
        told = wordings.stands(records.get(found.record), found) if found else unasked(topic)
        if answer != State.GRANTED and (since := self._asked_for.get((topic.slug, channel))):
            told = _("You asked for it on %s. It begins once you confirm it by our mail.") % wordings.day(since)
        field = _field(topic.slug, channel)
        return ChannelChoice(field, wordings.channel_name(channel), self.posted.get(field, answer), told)

    @cached_property
    def _asked_for(self) -> dict[Key, datetime]:
        """What they are to confirm, and when they asked for it."""
        return {key: row.asked_at for row in optins.waiting(self.profile, self.now) for key in optins.keys(row)}

    # ── From what age on ─────────────────────────────────────────────────────────────────────────────────────────────
    @cached_property
    def born_on(self) -> date | None:
        return ages.born_on(self.profile, self.preference)

    @property
    def asks_birth(self) -> bool:
        """Whether they are to say when they were born: for a topic from some age on, and by a link that proves them."""
        return self.fresh and self.born_on is None and any(row.topic.min_age for row in self.topics)

    def check_ages(self, wanted: Mapping[Key, str], born: date | None) -> None:
        """Raises `Invalid` where they say yes to what is for older people, or say not how old they are (CO-14)."""
        standing = states.find(((self.profile.id, *key) for key in wanted), now=self.now)
        problems = []
        for (slug, channel), state in wanted.items():
            found = standing.get((self.profile.id, slug, channel))
            if state != State.GRANTED or (found and found.state == state):
                continue
            if (told := ages.too_young(self._topics[slug], self.born_on or born, self.now)) and told not in problems:
                problems.append(told)
        if problems:
            raise Invalid([Problem("born_on", told) for told in problems])

    def _records(self, standing: Iterable[ConsentState]) -> dict[UUID, ConsentRecord]:
        return ConsentRecord.objects.in_bulk([state.record for state in standing])

    @cached_property
    def needed(self) -> list[Topic]:
        """What is sent whatever they choose."""
        return [topic for topic in self._topics.values() if topic.transactional]

    @cached_property
    def blocked(self) -> list[str]:
        """Why an address of theirs is not written to at all."""
        return [
            _BLOCKED[row.reason]()
            for channel, column in ADDRESSES.items()
            if (address := getattr(self.profile, column))
            for row in suppression.find(channel, [address])[address]
        ]

    @cached_property
    def seen(self) -> str:
        return seen(self.profile)

    @property
    def may_correct(self) -> bool:
        """Whether they can correct their name here: by a fresh link, and known by an id that programs go by, too."""
        return self.fresh and bool(self.profile.external_id)

    @cached_property
    def objects(self) -> bool:
        return Limit.Kind.OBJECTED in limits.of([self.profile.id]).get(self.profile.id, set())

    @property
    def rights(self) -> dict[str, str]:
        """What they can ask for that is not done at once on the page."""
        return {
            "rectification": _("Correct something"),
            "restriction": _("Keep my data, and do nothing else with it"),
            "access": _("Tell me what you have about me"),
            "portability": _("Give me my data to take along"),
            "erasure": _("Erase my data"),
        }

    @cached_property
    def requests(self) -> list[tuple[str, str]]:
        """What they asked for and have no answer to yet, and by when they get it."""
        return [
            (self.rights.get(row.kind, row.kind), wordings.date_of(row.due_on)) for row in requests.of(self.profile)
        ]

    # ── How they get it ──────────────────────────────────────────────────────────────────────────────────────────────
    @property
    def paused(self) -> datetime | None:
        until = self.preference.paused_until
        return until if until and until > self.now else None

    @property
    def stopped(self) -> bool:
        return bool(self.profile.consents.filter(topic=EVERYTHING, channel=EVERYTHING, state=State.DENIED).exists())

    def value(self, name: str) -> str:
        """What a field holds: as it was posted, else as it stands."""
        if name in self.posted:
            return self.posted[name]
        found: Any = getattr(self.preference, name, "")
        return found.isoformat("minutes") if hasattr(found, "isoformat") else str(found or "")

    @property
    def fields(self) -> dict[str, str]:
        names = ("intensity", "hours_from", "hours_to", "time_zone", "language", "pause", "until")
        return {name: self.value(name) for name in names}

    @property
    def intensities(self) -> list[tuple[str, str]]:
        return [
            ("less", _("Less: at most half as often")),
            ("normal", _("Normal")),
            ("more", _("More: tell me sooner, up to twice as often")),
        ]

    @property
    def pauses(self) -> list[tuple[str, str]]:
        now = _("Go on as it is") if self.paused else _("No pause")
        return [
            ("", now),
            ("week", _("Pause for a week")),
            ("month", _("Pause for 30 days")),
            ("quarter", _("Pause for 3 months")),
            ("date", _("Pause until the day below")),
        ]

    @property
    def zone_options(self) -> SafeString:
        """All zones to choose from. Written once, and not name by name for each page: that took half of its time."""
        chosen = f"<option>{self.value('time_zone')}</option>"
        return SafeString(_ZONE_OPTIONS.replace(chosen, chosen.replace("<option>", "<option selected>", 1)))

    @property
    def zone_told(self) -> str:
        """What holds while they choose no time zone."""
        return self._told(self.profile.timezone)

    @property
    def language_told(self) -> str:
        locale = self.profile.locale
        return self._told(self.languages.get((locale or "").replace("_", "-").split("-")[0].lower(), locale))

    def _told(self, value: str | None) -> str:
        return _("%s, as the product says") % value if value and self.full else _("As the product says")

    @property
    def languages(self) -> dict[str, str]:
        return dict(settings.LANGUAGES)

    # ── What is held ─────────────────────────────────────────────────────────────────────────────────────────────────
    @property
    def whose(self) -> str:
        """Whom the page speaks to, masked: a mail may have been passed on."""
        address = self.profile.email or self.profile.phone
        return held.mask(address) if address else ""

    @cached_property
    def held(self) -> list[held.Held]:
        return held.about(self.profile, masked=not self.fresh)

    def panels(self, place: str) -> list[str]:
        """What the apps above show here: HTML of ours."""
        return [html for answer in registry.panels.ask(self.profile, place) for html in answer]

    @cached_property
    def messages(self) -> list[str]:
        return self.panels("messages" if self.fresh else "messages in part")

    @cached_property
    def shaping(self) -> list[str]:
        return self.panels("data") if self.fresh else []


def _field(topic: str, channel: str) -> str:
    return f"{topic}.{channel}"


def unasked(topic: Topic) -> str:
    if topic.basis == Topic.Basis.CONSENT:
        return _("You have not chosen yet. You get nothing until you say yes.")
    return _("You get this until you say no.")


_BLOCKED: dict[str, Callable[[], str]] = {
    Suppression.Reason.HARD_BOUNCE: lambda: _("Messages to your address came back, so we no longer write to it."),
    Suppression.Reason.SOFT_BOUNCE: lambda: _("Messages to your address came back, so we no longer write to it."),
    Suppression.Reason.PROVIDER: lambda: _("Messages to your address came back, so we no longer write to it."),
    Suppression.Reason.COMPLAINT: lambda: _("You marked a message as spam, so you get nothing but what you need."),
    Suppression.Reason.MANUAL: lambda: _("Our staff blocked your address, so we no longer write to it."),
    Suppression.Reason.REVIEW: lambda: _("You wrote to us; until that is read, you get nothing but what you need."),
    Suppression.Reason.STOPPED: lambda: _(
        "You wrote “stop” from your number, so you get nothing but what you need there."
    ),
    Suppression.Reason.ERASED: lambda: _("You had your data erased, so we no longer write to your address."),
}
_REGIONS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
_ZONES = [*sorted(name for name in available_timezones() if name.split("/")[0] in _REGIONS), "UTC"]
_ZONE_OPTIONS = "".join(f"<option>{name}</option>" for name in _ZONES)
