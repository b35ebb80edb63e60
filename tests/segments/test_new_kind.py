"""A new kind of condition is one file: put beside the others, it is in the builder, the API and the suite."""

import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import segments.conditions
from profiles.models import Profile
from segments import definitions
from segments.kinds import KINDS
from segments.language import parse
from segments.models import Membership
from tests.api.conftest import client_with
from tests.segments import test_conformance as suite
from tests.segments.test_admin import signed_in, text
from tests.segments.test_conformance import crowd
from tests.segments.world import Someone

__all__ = ["crowd"]
pytestmark = pytest.mark.django_db

# Everything that there is to write, but for its test and its chapter in the docs.
FILE = '''
"""Whether the name of somebody begins with a letter."""

from dataclasses import dataclass

from segments import fields
from segments.fields import Look
from segments.kinds import KINDS, Answer, Leaf, Needs
from segments.question import Question


@KINDS.register
@dataclass(frozen=True)
class Initial(Leaf):
    key = "initial"
    label = "The letter that they begin with"
    group = "Who they are"
    icon = "abc"
    example = {"kind": "initial", "letter": "a"}

    letter: str = fields.asks(fields.name, look=Look("Letter"))

    def answer(self, q: Question) -> Answer:
        letter = q.bind(self.letter, "text")
        return Answer(f"starts_with(lower(p.first_name), lower({letter})) IS TRUE", ("p.first_name",))

    def clause(self) -> str:
        return f"who begin with “{self.letter}”"

    def needs(self) -> Needs:
        return Needs(attributes=frozenset({"first_name"}))

    def tell(self, *found: str | None) -> str:
        return f"they are called {found[0]}" if found[0] else "their name is not known"

    def as_of_now(self) -> bool:
        return True
'''


@pytest.fixture
def initial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The file, found where the kinds are looked for, for as long as the test."""
    (tmp_path / "initial.py").write_text(FILE)
    monkeypatch.setattr(segments.conditions, "__path__", [*segments.conditions.__path__, str(tmp_path)])
    before = dict(KINDS._variants)
    monkeypatch.setattr(KINDS, "_found", False)  # as in a fresh process
    yield
    KINDS._variants.clear()
    KINDS._variants.update(before)
    sys.modules.pop("segments.conditions.initial", None)


@pytest.mark.usefixtures("initial")
def test_a_new_kind_is_one_file_and_there_everywhere(ada: Profile, ben: Profile, now: datetime) -> None:
    Profile.objects.filter(id=ada.id).update(first_name="Ada")
    example: Any = {"kind": "initial", "letter": "A"}
    assert "initial" in KINDS
    # The language: a sentence, an error with its path, groups, an explanation.
    assert parse({"not": example}).sentence() == "People who are not among those who begin with “A”"
    assert parse(example).explain(ada.id, at=now)[0].found == "they are called Ada"
    # A live segment of it.
    definitions.save("as", definition=example, status="live", now=now)
    assert set(Membership.objects.values_list("profile_id", flat=True)) == {ada.id}
    # The API.
    api = client_with()
    answer = api.post("/api/v1/segments/preview/", {"definition": {"all": [example]}}, format="json")
    assert (answer.status_code, answer.json()["members"]) == (200, ["ada"])
    wrong = api.post("/api/v1/segments/preview/", {"definition": {"all": [{"kind": "initial"}]}}, format="json")
    assert (wrong.status_code, wrong.json()["errors"][0]["path"]) == (400, "all[0].letter")
    # The builder: in its menu, and with a form of its own.
    author = signed_in("segments.view_segment", "segments.add_segment", "segments.change_segment")
    drawn = text(author.post("/admin/segments/segment/add/", {"c.word": "all", "do": "add::initial"}))
    assert "The letter that they begin with" in drawn and 'aria-label="Letter"' in drawn


@pytest.mark.usefixtures("initial")
def test_a_new_kind_is_held_to_what_every_kind_promises(crowd: list[Someone]) -> None:
    for back in (0, 40):
        suite.test_it_and_its_negation_part_the_people("initial", back, crowd)
        suite.test_of_some_people_it_says_what_it_says_of_all("initial", back, crowd)
    suite.test_of_each_asked_it_says_the_same("initial", crowd)
    suite.test_its_explanation_agrees_and_says_more("initial", crowd)
    for promise in (
        suite.test_a_kind_says_what_it_is,
        suite.test_its_sentence_is_one,
        suite.test_it_says_what_it_needs,
        suite.test_each_field_is_demanded_or_has_a_default,
        suite.test_a_field_that_it_does_not_know_is_refused,
    ):
        promise("initial")
