"""Tests are kept, renamed, changed and dropped, each told in the audit trail. The only writer of their table."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from foundation.errors import Conflict, Invalid
from journeys.models import Journey
from journeys.testing import differing, running, scripts
from journeys.testing.models import JourneyTest
from journeys.testing.running import Result
from staff import audit

MOST = 50
_LONGEST = 200


def get(journey: Journey, name: str) -> JourneyTest:
    """The test of that name; `Invalid` where there is none."""
    found = JourneyTest.objects.filter(journey=journey, name=name).first()
    if found is None:
        raise Invalid.at("name", f"The journey {journey.name} has no test {name!r}.")
    return found


def of(journey: Journey) -> list[JourneyTest]:
    return list(JourneyTest.objects.filter(journey=journey).select_related("journey").order_by("created_at", "id"))


def save(journey: Journey, name: str, *, script: Any, expect: Any, now: datetime) -> JourneyTest:
    """Keeps a test under its name, in place of one that is there. One that says the same leaves no trace."""
    title = _name(name)
    read, expected = scripts.read(script, "script"), scripts.expectation(expect, "expect")
    with transaction.atomic():
        _hold(journey)
        found = JourneyTest.objects.filter(journey=journey, name=title).first()
        if found is None:
            if JourneyTest.objects.filter(journey=journey).count() >= MOST:
                raise Conflict(f"The journey {journey.name} has {MOST} tests already; delete one first.")
            found = JourneyTest(journey=journey, name=title, created_at=now)
        elif (found.script, found.expect) == (read.as_json(), expected):
            return found
        fresh = found.pk is None
        found.script, found.expect = read.as_json(), expected
        found.result, found.ran_at, found.why = "", None, ""
        found.save()
        _tell("create" if fresh else "change", journey, f"{'Kept' if fresh else 'Changed'} the test “{title}”")
    return found


def take(journey: Journey, rows: Sequence[Mapping[str, Any]], *, now: datetime) -> list[JourneyTest]:
    """Keeps tests as a file has them. Those of other names stay."""
    return [save(journey, row["name"], script=_script(row), expect=row["expect"], now=now) for row in rows]


def accept(test: JourneyTest, found: Mapping[str, Any], *, now: datetime) -> JourneyTest:
    """What was found is expected from now on, of what the test speaks of."""
    expect = differing.accepted(test.expect, found)
    return save(test.journey, test.name, script=test.script, expect=expect, now=now)


def rename(test: JourneyTest, name: str) -> JourneyTest:
    title = _name(name)
    with transaction.atomic():
        _hold(test.journey)
        if JourneyTest.objects.filter(journey=test.journey, name=title).exclude(pk=test.pk).exists():
            raise Conflict(f"There is a test “{title}” already.")
        if title != test.name:
            before, test.name = test.name, title
            test.save(update_fields=["name"])
            _tell("change", test.journey, f"Called the test “{before}” “{title}”")
    return test


def delete(test: JourneyTest) -> None:
    with transaction.atomic():
        test.delete()
        _tell("delete", test.journey, f"Deleted the test “{test.name}”")


def note(test: JourneyTest, result: Result, *, now: datetime) -> None:
    """Notes what came of it, for the list. Whoever changed it meanwhile made that void."""
    state = JourneyTest.Result.PASSED if result.passed else JourneyTest.Result.FAILED
    rows = JourneyTest.objects.filter(pk=test.pk, script=test.script, expect=test.expect)
    why = "\n".join(result.differences) if not result.passed else ""
    rows.update(result=state, ran_at=now, why=why[:10_000])


def run(journey: Journey, document: Any, *, now: datetime) -> list[Result]:
    """Plays all tests of the journey against a document, and notes what came of each."""
    results = []
    for test, result in running.run_all(journey.slug, document, of(journey), now=now):
        note(test, result, now=now)
        results.append(result)
    return results


def as_row(test: JourneyTest) -> dict[str, Any]:
    """A test as a file has it."""
    return read_row({"name": test.name, **test.script, "expect": test.expect}, "")


def read_row(row: Any, path: str) -> dict[str, Any]:
    """A test as a file has it, as it is kept; `Invalid` with the path of each flaw where it is none."""
    if not isinstance(row, Mapping):
        raise Invalid.at(path, "must be a test: a name, a person, acts, and what to expect")
    name = _name(row.get("name"), scripts.within(path, "name"))
    script = scripts.read(_script(row), path)
    return {
        "name": name,
        **script.as_json(),
        "expect": scripts.expectation(row.get("expect"), scripts.within(path, "expect")),
    }


def by_other_names(row: Mapping[str, Any], events: Mapping[str, str], attributes: Mapping[str, str]) -> dict[str, Any]:
    """A test as a file has it, where events and values of people are called otherwise."""

    def renamed(values: Mapping[str, Any]) -> dict[str, Any]:
        return {attributes.get(name, name): value for name, value in values.items()}

    def act(given: Mapping[str, Any]) -> dict[str, Any]:
        does = {"does": events.get(given["does"], given["does"])} if "does" in given else {}
        return {**given, **does, **({"becomes": renamed(given["becomes"])} if "becomes" in given else {})}

    person = renamed(row.get("person", {}))
    if "attributes" in person:
        person["attributes"] = renamed(person["attributes"])
    return read_row({**row, "person": person, "acts": [act(one) for one in row.get("acts", [])]}, "")


def _script(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("name", "expect")}


def _name(name: Any, path: str = "name") -> str:
    text = " ".join(name.split()) if isinstance(name, str) else ""
    if not 0 < len(text) <= _LONGEST or "\x00" in text:
        raise Invalid.at(path, f"must be a text of at most {_LONGEST} characters")
    return text


def _hold(journey: Journey) -> None:
    """Two who keep tests of one journey take turns."""
    Journey.objects.select_for_update(of=("self",), no_key=True).get(pk=journey.pk)


def _tell(verb: str, journey: Journey, done: str) -> None:
    audit.record(verb, "journey", journey.slug, f"{done} of the journey {journey.name}.")
