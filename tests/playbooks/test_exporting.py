"""Journeys as files: with all they need, the same after a round trip, compared before they are applied."""

import re
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from consent import topics
from foundation.errors import Invalid
from journeys import publishing
from journeys.models import Journey
from messaging import templates
from messaging.snippets import saving as snippets
from playbooks import comparing, exporting, files, installing
from segments import definitions
from staff import teams

pytestmark = pytest.mark.django_db

DOCUMENT: dict[str, Any] = {
    "entry": {
        "trigger": {"kind": "segment_entered", "slug": "eager"},
        "filter": {"kind": "consent", "topic": "tips", "channel": "email", "state": "granted"},
    },
    "steps": [
        {"key": "hello", "kind": "message", "channel": "email", "template": "welcome"},
        {"key": "call", "kind": "task", "title": "Say hello", "team": "success"},
        {"key": "on", "kind": "journey", "slug": "later"},
    ],
}
LATER: dict[str, Any] = {"entry": {"trigger": {"kind": "manual"}}, "steps": [{"key": "x", "kind": "exit"}]}


@pytest.fixture
def house(now: datetime) -> None:
    """A journey that needs a segment on a segment, a template with a part for some, a topic, a team and a journey."""
    teams.save("success", name="Success")
    for slug in ("news", "tips"):
        topics.save(
            slug,
            name=slug.capitalize(),
            description="What.",
            purpose="Why.",
            basis="consent",
            channels=["email"],
            now=now,
        )
    definitions.save("pros", name="Pros", definition={"kind": "attribute", "name": "plan", "op": "is", "value": "pro"}, status="live", now=now)  # fmt: skip # noqa: E501
    eager = {"all": [{"kind": "segment", "slug": "pros"}, {"kind": "event", "name": "feature_used"}]}
    definitions.save("eager", name="Eager", definition=eager, needs="To be heard.", status="live", now=now)
    definitions.save("others", name="Others", definition={"all": []}, status="live", now=now)
    snippets.save("inner", name="Inner", blocks=[{"kind": "text", "text": "Ada"}], now=now)
    snippets.save("signed", name="Signed", blocks=[{"kind": "snippet", "slug": "inner"}], now=now)
    snippets.save("unused", name="Unused", blocks=[{"kind": "divider"}], now=now)
    blocks = [
        {"kind": "text", "text": "Hello", "when": {"kind": "segment", "slug": "pros"}},
        {"kind": "snippet", "slug": "signed"},
    ]
    said = {"de": {"subject": "Willkommen", "blocks": [{"kind": "text", "text": "Hallo"}]}}
    templates.save("welcome", name="Welcome", channel="email", topic="news", subject="Welcome", blocks=blocks, translations=said, now=now)  # fmt: skip # noqa: E501
    publishing.save("later", name="Later", document=LATER, now=now)
    publishing.publish("later", now=now)
    publishing.save("onboarding", name="Onboarding", document=DOCUMENT, description="First days.", now=now)
    publishing.publish("onboarding", now=now)


def test_a_journey_goes_with_all_it_needs_and_nothing_else(house: None) -> None:
    book = exporting.of_journeys(["onboarding"])
    assert {part: [row["slug"] for row in getattr(book, part)] for part in files.PARTS} == {
        "teams": ["success"],
        "topics": ["tips", "news"] if book.topics[0]["slug"] == "tips" else ["news", "tips"],
        "segments": ["pros", "eager"],
        "snippets": ["inner", "signed"],
        "templates": ["welcome"],
        "journeys": ["later", "onboarding"],
    }
    assert book.templates[0]["translations"]["de"]["subject"] == "Willkommen"
    assert book.segments[1]["needs"] == "To be heard."


def test_what_was_exported_is_the_same_where_it_is_applied(house: None, now: datetime) -> None:
    text = files.written(exporting.of_journeys(["onboarding"]))
    assert {one.how for one in comparing.differences(files.read("x", text))} == {"same"}
    assert files.written(files.read("onboarding", text)) == text


def test_applied_where_none_of_it_is_it_makes_all_of_it(house: None, now: datetime) -> None:
    text = files.written(exporting.of_journeys(["onboarding"]))
    text = re.sub(r"\b(slug|template|topic|team): ([\w-]+)$", r"\1: \2-2", text, flags=re.MULTILINE)
    book = files.read("x", text)
    assert {one.how for one in comparing.differences(book)} == {"new"}
    installing.install(book, now=now)
    assert files.written(exporting.of_journeys(["onboarding-2"])) == text


def test_a_difference_is_told_line_by_line(house: None) -> None:
    text = files.written(exporting.of_journeys(["onboarding"])).replace("Say hello", "Say good morning")
    changed = [one for one in comparing.differences(files.read("x", text)) if one.how != "same"]
    (difference,) = changed
    assert str(difference) == "The journey “Onboarding” changes."
    assert [line.strip() for line in difference.lines if line[0] in "+-"] == [
        "-    title: Say hello",
        "+    title: Say good morning",
    ]


def test_the_commands_write_compare_and_apply(house: None, tmp_path: Path, now: datetime) -> None:
    file = tmp_path / "onboarding.yaml"
    call_command("export_journeys", "onboarding", "--out", str(file), stdout=StringIO())
    file.write_text(file.read_text().replace("Say hello", "Say good morning").replace("First days.", "The first days."))
    told = StringIO()
    call_command("apply", str(file), "--dry-run", stdout=told)
    assert "The journey “Onboarding” changes." in told.getvalue() and "Nothing was changed." in told.getvalue()
    assert Journey.objects.get(slug="onboarding").description == "First days."
    call_command("apply", str(file), stdout=told)
    journey = Journey.objects.get(slug="onboarding")
    assert journey.description == "The first days."
    assert journey.version is not None and journey.version.number == 2
    assert journey.version.document["steps"][1]["title"] == "Say good morning"


def test_what_cannot_be_applied_changes_nothing_and_says_where(house: None, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    text = files.written(exporting.of_journeys(["onboarding"]))
    file.write_text(text.replace("First days.", "Changed.").replace("template: welcome", "template: nowhere"))
    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("apply", str(file), stdout=StringIO())
    assert Journey.objects.get(slug="onboarding").description == "First days."
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("apply", str(tmp_path / "missing.yaml"), stdout=StringIO())
    with pytest.raises(CommandError, match="There is no journey 'nowhere'"):
        call_command("export_journeys", "nowhere", stdout=StringIO())


def test_a_playbook_of_the_library_is_what_its_journeys_export(now: datetime) -> None:
    installing.install(files.load("web-shop"), now=now)
    book = exporting.of_journeys([row["slug"] for row in files.load("web-shop").journeys])
    assert {one.how for one in comparing.differences(book)} == {"same"}
    with pytest.raises(Invalid):
        exporting.of_journeys(["nowhere"])
