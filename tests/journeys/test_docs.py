"""The pages on journeys say what the code says."""

import json
import re
from pathlib import Path

import pytest

from journeys import documents, kinds, reentry
from journeys.models import CALLED_OFF, Call, Ending, EnrollmentState, Journey, Task, Transition
from journeys.steps.split import bucket
from journeys.walking import BACKOFF

DOCS = Path(__file__).resolve().parents[2] / "docs"
JOURNEYS, STATES = ((DOCS / name).read_text() for name in ("journeys.md", "states.md"))


def table(text: str, header: str) -> dict[str, list[str]]:
    """The rows of the table whose first column is called so: its first cell to the others."""
    body = text.split(f"| {header} |", 1)[1].split("\n\n", 1)[0]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in body.splitlines()[2:]]
    return {row[0].strip("` |"): row[1:] for row in rows}


@pytest.mark.parametrize(
    ("section", "header", "values"),
    [
        ("## A journey", "state", Journey.Status.values),
        ("## An enrollment", "state", EnrollmentState.values),
        ("## An enrollment", "ended by", Ending.values),
        ("## A transition", "answer", Transition.Answer.values),
        ("## A task", "state", Task.State.values),
        ("## A call", "state", Call.State.values),
    ],
)
def test_states_are_those_of_the_code(section: str, header: str, values: list[str]) -> None:
    assert list(table(STATES.split(section, 1)[1], header)) == values


def test_what_calls_messages_off_is_said() -> None:
    said = {ending for ending, cells in table(STATES, "ended by").items() if cells[-1].strip(" |") == "yes"}
    assert said == {ending.value for ending in CALLED_OFF}


def test_every_kind_of_step_and_trigger_and_rule_is_described_with_its_fields() -> None:
    shown = table(JOURNEYS, "step")
    assert sorted(shown) == kinds.steps.keys()
    for kind in kinds.steps:
        for field in kind.fields:
            assert f"`{field.name}`" in shown[kind.key][0], (kind.key, field.name)
    assert sorted(table(JOURNEYS, "trigger")) == kinds.triggers.keys()
    assert set(table(JOURNEYS, "rule")) == set(reentry._FIELDS)


def test_the_example_is_sound() -> None:
    example = re.search(r"```json\n(.*?)```", JOURNEYS, re.DOTALL)
    assert example and documents.flaws(json.loads(example[1])) == []


def test_figures_are_those_of_the_code() -> None:
    for said, number in re.findall(r"`([^`]+)` gives (\d+)", JOURNEYS):
        salt, _, unit = said.rpartition(":")
        assert bucket(salt, unit) == int(number)
    minutes = [int(length.total_seconds() // 60) for length in BACKOFF]
    assert f"{minutes[0]} minute, {minutes[1]}, {minutes[2]} and {minutes[3]}" in JOURNEYS
