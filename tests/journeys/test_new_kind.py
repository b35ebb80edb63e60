"""A new kind of step is one file: found by looking, and known to everything from then on, while it is there."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import journeys.steps
from foundation.errors import Invalid
from journeys import audit, documents, kinds, numbers, program, publishing, simulating, telling
from profiles.models import Profile
from tests.api.conftest import client_with
from tests.journeys.conftest import Stage, send, wait

FILE = '''
"""Lets people go on whose name begins with a letter, each by that arm, and asks the others again in an hour."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from journeys.answers import Advance, Answer, WaitUntil
from journeys.fields import Text
from journeys.kinds import Standing, Step, steps
from profiles.models import Profile


@steps.register
class Initial(Step):
    key = "initial"
    label = "Look at their name"
    example = {"kind": "initial", "letter": "A", "arms": [{"key": "yes", "steps": []}]}
    fields = (Text(name="letter", label="Letter", longest=1),)
    arms_in = ("arms",)

    def sentence(self) -> str:
        return f"Wait until their name begins with {self.given['letter']}"

    def answer(self, people: Sequence[Standing], at: datetime) -> Mapping[UUID, Answer]:
        names = dict(Profile.objects.filter(pk__in=[one.profile_id for one in people]).values_list("pk", "first_name"))
        letter, arm = self.given["letter"], self.given["arms"][0]["key"]
        return {
            one.id: Advance(arm, f"It begins with {letter}.")
            if names[one.profile_id].startswith(letter)
            else WaitUntil(at + timedelta(hours=1), "Looks again in an hour.")
            for one in people
        }
'''


def _look_again() -> None:
    kinds.steps._found = False


@pytest.fixture
def new_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """The file is there, until the test takes it away."""
    (tmp_path / "initial.py").write_text(FILE)
    monkeypatch.setattr(journeys.steps, "__path__", [*journeys.steps.__path__, str(tmp_path)])
    _look_again()

    def take_away() -> None:
        kinds.steps._variants.pop("initial", None)
        sys.modules.pop("journeys.steps.initial", None)
        program._read.cache_clear()

    yield take_away
    take_away()


def test_one_file_is_all_that_a_new_kind_needs(
    new_kind: Callable[[], None], stage: Stage, ada: Profile, ben: Profile
) -> None:
    step = {"key": "name", "kind": "initial", "letter": "A", "arms": [{"key": "yes", "steps": [send("hello")]}]}
    document = {"entry": {"trigger": {"kind": "event", "name": "signed_up"}}, "steps": [step, wait("rest")]}
    # Documents are checked, told in sentences and saved over the API, as with any other kind.
    assert documents.problems(document) == []
    assert [flaw.path for flaw in documents.flaws({**document, "steps": [{**step, "letter": "AB"}]})] == [
        "steps[0].letter"
    ]
    assert "Wait until their name begins with A" in [line.text for line in telling.lines(document)]
    made = client_with().put("/api/v1/journeys/onboarding/", {"name": "Onboarding", "document": document})
    assert made.status_code == 201
    publishing.publish("onboarding", now=stage.now)
    # The engine moves people through it, numbers count it, and a simulation plays it.
    for one in (ada, ben):
        stage.does(one, "signed_up")
    stage.rest()
    assert stage.story(ada) == ["name entered", "name advance:yes", "hello advance", "rest wait"]
    assert stage.story(ben) == ["name entered", "name wait"]
    journey = stage.enrollment(ada).journey
    assert numbers.of(journey).arm("name", "yes").passed == 1
    assert audit.breaches(stage.now) == []
    played = simulating.simulate(
        "onboarding", document, person={"first_name": "Anna"}, deeds=[], start=True, context=None,
        at=stage.now, until=stage.now,
    )  # fmt: skip
    assert [(one["step"], one["arm"]) for one in played.happened if one.get("arm")] == [("name", "yes")]
    # FM-41: a release that does not know it leaves its people where they are, and one that does goes on with them.
    new_kind()
    stage.go_on(hours=2)
    assert (stage.enrollment(ben).state, stage.enrollment(ben).step) == ("active", "name")
    with pytest.raises(Invalid, match="must be the kind of a step"):
        publishing.save("other", name="Other", document=document, now=stage.now)
    _look_again()
    Profile.objects.filter(pk=ben.pk).update(first_name="Abe")
    program._read.cache_clear()
    stage.go_on(hours=2)
    assert stage.enrollment(ben).step == "rest"
    assert audit.breaches(stage.now) == []
