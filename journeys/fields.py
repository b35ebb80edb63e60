"""What the fields of steps and triggers may hold: one declaration checks a document wherever it comes from."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from foundation.errors import Invalid, Problem
from segments import behaviour, language, moments
from segments import fields as reading
from segments.moments import Duration as Length
from segments.places import Place, Scope

SLUG = re.compile(r"[A-Za-z0-9_-]{1,100}\Z")
_KEY = re.compile(r"[A-Za-z0-9_.-]{1,100}\Z")


class Use(NamedTuple):
    """Something outside that a document relies on: `kind` is `segment`, `topic`, `template`, `journey` or `team`."""

    path: str
    kind: str
    slug: str
    channel: str = ""


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of a step or trigger. Null is as good as absent."""

    name: str
    label: str
    required: bool = True

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        """What is wrong with a value that is there."""
        raise NotImplementedError

    def uses(self, value: Any, path: str) -> Iterator[Use]:
        """What a valid value relies on."""
        return iter(())


@dataclass(frozen=True, kw_only=True)
class Text(Field):
    longest: int = 500

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        if not isinstance(value, str) or not value.strip():
            yield Problem(path, "must be a text")
        elif len(value) > self.longest:
            yield Problem(path, f"is longer than {self.longest} characters")
        elif "\x00" in value or any("\ud800" <= char <= "\udfff" for char in value):
            yield Problem(path, "holds a character that cannot be stored")


@dataclass(frozen=True, kw_only=True)
class Slug(Field):
    """The name of something that is defined elsewhere."""

    of: str

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        if not isinstance(value, str) or not SLUG.match(value):
            yield Problem(path, f"must be the slug of a {self.of}: letters, digits, - and _")

    def uses(self, value: Any, path: str) -> Iterator[Use]:
        yield Use(path, self.of, value)


@dataclass(frozen=True, kw_only=True)
class Key(Field):
    """The name of a step or an arm in its journey."""

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        if not isinstance(value, str) or not _KEY.match(value):
            yield Problem(path, f"must be made of letters, digits, -, _ and ., at most 100, and not {shown(value)}")


@dataclass(frozen=True, kw_only=True)
class Choice(Field):
    among: Collection[str]

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        if not isinstance(value, str) or value not in self.among:
            yield Problem(path, f"must be one of {', '.join(self.among)}, not {shown(value)}")


@dataclass(frozen=True, kw_only=True)
class Duration(Field):
    """A length of time such as {"days": 2}; `signed` ones may also lead back."""

    signed: bool = False

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        try:
            duration(value, path, signed=self.signed)
        except Invalid as refusal:
            yield from refusal.problems


@dataclass(frozen=True, kw_only=True)
class Condition(Field):
    """A condition of the one language, in which windows may run since the entry or the step."""

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        try:
            condition(value)
        except Invalid as refusal:
            yield from (Problem(joined(path, problem.path), problem.reason) for problem in refusal.problems)

    def uses(self, value: Any, path: str) -> Iterator[Use]:
        # Templates may be ahead of what was sent, as in segments.
        yield from (
            Use(joined(path, place), kind, slug)
            for kind, slug, place in condition(value).refers()
            if kind != "template"
        )


@dataclass(frozen=True, kw_only=True)
class Where(Field):
    """What the properties of an event must be: a list of comparisons."""

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        try:
            behaviour.wheres(value, Place(path, Scope.JOURNEY))
        except Invalid as refusal:
            yield from refusal.problems


@dataclass(frozen=True, kw_only=True)
class Names(Field):
    """The name of an event, or several of which any will do; `*` is whatever comes from outside."""

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        try:
            reading.names(value, Place(path, Scope.JOURNEY))
        except Invalid as refusal:
            yield from refusal.problems


def condition(definition: Any) -> language.Condition:
    return language.parse(definition, scope=Scope.JOURNEY)


def check(
    fields: Collection[Field], given: Mapping[str, Any], path: str, *, also: Collection[str] = ()
) -> Iterator[Problem]:
    """What is wrong with an object: fields that are missing, wrong, or that nobody knows. `also` are known too."""
    known = {field.name for field in fields} | set(also)
    for name in given:
        if name not in known:
            expected = ", ".join(sorted(known))
            yield Problem(
                joined(path, name if SLUG.match(name) else ""), f"{shown(name)} is not known here; known are {expected}"
            )
    for field in fields:
        value = given.get(field.name)
        if value is None:
            if field.required:
                yield Problem(joined(path, field.name), "is missing")
        else:
            yield from field.problems(value, joined(path, field.name))


def uses(fields: Collection[Field], given: Mapping[str, Any], path: str) -> Iterator[Use]:
    """What a valid object relies on."""
    for field in fields:
        if given.get(field.name) is not None:
            yield from field.uses(given[field.name], joined(path, field.name))


def said(read: language.Condition) -> str:
    """The condition within a sentence of ours: `people who did “Report exported”`."""
    sentence = read.sentence()
    return sentence[:1].lower() + sentence[1:]


def duration(value: Any, path: str = "", *, signed: bool = False) -> Length:
    """Reads a length of time as conditions write them; a `signed` one may lead back, or nowhere."""
    place = Place(path, Scope.JOURNEY)
    found = moments.units_of(value)
    if signed and found and isinstance(found[1], int) and not isinstance(found[1], bool) and found[1] <= 0:
        unit, number = found
        return Length(-reading.duration({unit: -number}, place).number, unit) if number else Length(0, unit)
    return reading.duration(value, place)


def joined(path: str, name: str) -> str:
    if not path or not name:
        return path or name
    return f"{path}{name}" if name.startswith("[") else f"{path}.{name}"


def shown(value: Any) -> str:
    """A value as it may stand in a sentence: cut, and with nothing in it that cannot be written."""
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
