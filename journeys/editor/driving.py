"""The test drive: one person walked through the draft, with the clock and what happens in one's hands.

A drive is a script and nothing else (`journeys.testing.scripts`): each press adds an act, or takes the last one back,
and all of it is played anew by the engine's own steps. It lives in the page's form; nothing is written.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings

from foundation.errors import Invalid, Refused
from foundation.wording import exact
from journeys import documents, simulating
from journeys.editor import shape
from journeys.editor.shape import Document
from journeys.models import EnrollmentState, Journey
from journeys.simulating import Played
from journeys.testing import lengths, letters, running, scripts
from journeys.testing.scripts import Script
from profiles.models import Profile

_HOUR, _DAY, _WEEK = ({"hours": 1}, {"days": 1}, {"weeks": 1})
WAITS = {"hour": _HOUR, "day": _DAY, "week": _WEEK}
COLUMNS = {"first_name": "First name", "email": "Email address", "timezone": "Time zone", "locale": "Language"}
ROWS = range(3)
_LONGEST = 50_000


@dataclass
class Drive:
    """`who` is a real person, as they are now; else the script makes somebody up."""

    journey: Journey
    document: Document
    script: Script
    now: datetime
    who: Profile | None = None
    alert: str = ""

    # ── What was sent ────────────────────────────────────────────────────────────────────────────────────────────────
    @classmethod
    def read(cls, journey: Journey, document: Document, sent: Mapping[str, str], now: datetime) -> "Drive":
        """The drive of a form; `Invalid` where that says none."""
        try:
            given = json.loads(sent.get("script", "")[:_LONGEST])
            script = scripts.read(given, puts_on=False)
        except (ValueError, RecursionError):
            raise Invalid.at("script", "This page is out of date: begin again.") from None
        return cls(journey, document, script, now, who=_person(sent.get("who", "")))

    @property
    def sent(self) -> str:
        return json.dumps(self.script.as_json())

    def add(self, *acts: dict[str, Any]) -> None:
        """It goes on by these acts, where they can be played; else the alert says why not."""
        self._become(self.script.then(*acts))

    def back(self) -> None:
        """Takes back the last thing that happened."""
        self._become(replace(self.script, acts=self.script.acts[:-1]))

    def draw(self, step: str, arm: str) -> None:
        self._become(replace(self.script, draws={**self.script.draws, step: arm}))

    def _become(self, script: Script) -> None:
        before = self.script
        try:
            self.script = scripts.read(script.as_json(), puts_on=False)
            self.__dict__.pop("played", None)
            self.played  # noqa: B018 (whether it can be played is known only then)
        except Refused as refusal:
            self.script, self.alert = before, sentence(refusal)
            self.__dict__.pop("played", None)

    # ── What was played ──────────────────────────────────────────────────────────────────────────────────────────────
    @cached_property
    def played(self) -> Played:
        """All of it, with messages as they would be read."""
        acts, until = self.script.played(self.begins)
        return simulating.simulate(
            self.journey.slug,
            self.document,
            person=self.who or self.script.somebody(self.begins),
            deeds=acts,
            start=False,
            at=self.begins,
            until=until,
            draws=self.script.draws,
            reader=letters.reader(agreed=self.who is None),
        )

    @property
    def begins(self) -> datetime:
        return self.script.begins(self.now)

    @property
    def at(self) -> datetime:
        """What its clock says."""
        return self.script.played(self.begins)[1]

    @property
    def due(self) -> datetime | None:
        """When something happens next without anybody's doing."""
        return self.played.due_at if self.played.state == EnrollmentState.ACTIVE else None

    def go_to(self, moment: datetime) -> None:
        """The clock goes on to this moment, or to the next full minute after it."""
        ahead = moment - self.at
        if ahead <= timedelta():
            self.alert = f"The clock goes forward only; it is {exact(self.at)} already."
            return
        self.add({"wait": lengths.written(lengths.up_to_minutes(ahead))})

    def alike(self) -> None:
        """Somebody made up takes the place of the real person: like them in what the journey asks, and no more."""
        if self.who is None:
            return
        values = {name: self.who.attributes[name] for name in asked(self.document) if name in self.who.attributes}
        own = {name: getattr(self.who, name) for name in ("timezone", "locale") if getattr(self.who, name)}
        self.who = None
        self._become(replace(self.script, person={**own, **({"attributes": values} if values else {})}))

    @property
    def outcome(self) -> dict[str, Any]:
        return running.outcome(self.played, self.begins)


def sentence(refusal: Refused) -> str:
    problems = refusal.problems if isinstance(refusal, Invalid) else []
    return " ".join(f"{_place(one.path)}{one.reason}." for one in problems) or str(refusal)


def _place(path: str) -> str:
    name = path.rpartition(".")[2]
    return f"“{name}” " if name and not name.startswith("acts") else "It "


def _person(key: str) -> Profile | None:
    try:
        return Profile.objects.select_related("account").filter(pk=UUID(key)).first() if key else None
    except ValueError:
        return None


# ── What a journey asks of people ────────────────────────────────────────────────────────────────────────────────────
def asked(document: Document) -> list[str]:
    """The attributes that it speaks of, by name; those of a company and columns of ours are left out."""
    return list(dict.fromkeys(name for name in _attributes(document) if name not in Profile.COLUMNS))


def _attributes(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        name = value.get("name") if value.get("kind") == "attribute" else value.get("attribute")
        if isinstance(name, str):
            yield name
    for one in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _attributes(one)


def listened_for(document: Document) -> list[str]:
    """The names of what people do that it speaks of, what starts it first."""
    found = dict.fromkeys([*_events([document["entry"].get("trigger")]), *_events(document)])
    return [name for name in found if name != "*"][:12]


def _events(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        is_event = value.get("kind") in ("event", "measure", "trend") or ("steps" in value and "name" in value)
        names = value.get("name") if is_event else None
        yield from (name for name in (names if isinstance(names, list) else [names]) if isinstance(name, str))
    for one in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _events(one)


def splits(document: Document) -> list[dict[str, Any]]:
    return [dict(step) for _, step in documents.walk(document) if step.get("kind") == "split"]


def starts_by_itself(document: Document) -> bool:
    """Whether something that people do starts it."""
    given = document["entry"].get("trigger")
    listed = given if isinstance(given, list) else [given]
    return any(isinstance(one, Mapping) and one.get("kind") == "event" for one in listed)


# ── Reading forms ────────────────────────────────────────────────────────────────────────────────────────────────────
def somebody(sent: Mapping[str, str]) -> dict[str, Any]:
    """The person of a form: their columns, and values by name."""
    own = {name: sent[f"c.{name}"].strip() for name in COLUMNS if sent.get(f"c.{name}", "").strip()}
    named = {name.removeprefix("a."): value for name, value in sent.items() if name.startswith("a.") and value.strip()}
    values = {name: typed(value) for name, value in named.items()} | rows(sent, "v")
    return {**own, **({"attributes": values} if values else {})}


def rows(sent: Mapping[str, str], root: str) -> dict[str, Any]:
    """What rows of a form say: a name and a value each."""
    pairs = ((sent.get(f"{root}.{n}.name", "").strip(), sent.get(f"{root}.{n}.value", "")) for n in ROWS)
    return {name: typed(value) for name, value in pairs if name}


def typed(text: str) -> Any:
    """What somebody typed, as what it looks like: a number, yes or no, else a text."""
    text = text.strip()
    if text.lower() in ("yes", "true", "no", "false"):
        return text.lower() in ("yes", "true")
    if re.fullmatch(r"0|-?[1-9]\d{0,14}", text, re.ASCII):
        return int(text)
    return float(text) if re.fullmatch(r"-?\d{1,12}\.\d{1,6}", text, re.ASCII) else text


def moment(text: str) -> datetime | None:
    """What a field for a day and a time says, in the project's zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(settings.PROJECT_TIME_ZONE))


def steps(document: Document) -> dict[str, dict[str, Any]]:
    """The steps of a document by their keys."""
    return {str(spot.step.get("key")): spot.step for spot in shape.walk(document)}
