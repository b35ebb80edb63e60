"""Whatever is saved comes back from the form as it was, and whatever buttons are pressed there is a form."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.errors import Invalid
from segments.editor import tree
from segments.editor.known import Known
from segments.editor.tree import Group, Row, from_definition, from_form, written
from segments.editor.widgets import Around
from segments.kinds import KINDS
from segments.language import parse
from segments.places import Scope
from tests.segments.strategies import conditions

EXTRA: list[dict[str, Any]] = [
    {"kind": "attribute", "name": "plan", "op": "in", "value": ["pro", " padded ", '"quoted"', "two\nlines", "", "7"]},
    {"kind": "attribute", "name": "plan", "op": "not_in", "value": [1, "1", "yes", True, False, 2.5]},
    {"kind": "attribute", "name": "plan", "op": "in", "value": []},
    {"kind": "attribute", "name": "x", "op": "contains", "value": ""},
    {"kind": "attribute", "name": "x", "op": "before", "value": "2026-03-01T10:00:00+02:00"},
    {"kind": "account", "name": "seats", "op": "between", "value": [1, 2.5]},
    {"kind": "event", "name": ["a"], "where": [], "count": {"op": "gte", "value": 1}},
    {"kind": "event", "name": "a", "count": {"op": "is", "value": 0}, "window": {"since": "step"}},
    {"kind": "recency", "name": "a", "op": "within_last", "value": {"weeks": 3}, "which": "last"},
    {"kind": "consent", "topic": "news", "channel": "email", "state": "unset"},
    {"not": {"not": {"not": {"any": [{"all": []}, {"not": {"all": []}}]}}}},
    {"not": {"kind": "segment", "slug": "other"}},
    {"kind": "sequence", "steps": [{"name": "a", "where": []}, {"name": ["*", "b"]}], "within": {"hours": 1}},
]


def came_back(definition: Any) -> Any:
    """The definition after it was shown, sent as a form, and read."""
    return written(from_form(dict(tree.fields_of(from_definition(definition))))).definition


@pytest.mark.parametrize("kind", KINDS.keys())
def test_the_example_of_every_kind_comes_back_as_it_was(kind: str) -> None:
    assert came_back(dict(KINDS[kind].example)) == KINDS[kind].example


@pytest.mark.parametrize("definition", EXTRA)
def test_what_is_hard_to_type_comes_back_as_it_was(definition: Any) -> None:
    parse(definition, scope=Scope.JOURNEY)
    assert came_back(definition) == definition


def said(definition: Any) -> Any:
    """The definition without what is null, which says as much as nothing."""
    if isinstance(definition, dict):
        return {key: said(value) for key, value in definition.items() if value is not None}
    return [said(one) for one in definition] if isinstance(definition, list) else definition


@given(conditions(since=True))
def test_whatever_can_be_defined_comes_back_as_it_was(definition: Any) -> None:
    assert came_back(definition) == said(definition)


@pytest.mark.django_db
@pytest.mark.parametrize("kind", KINDS.keys())
def test_what_is_drawn_of_every_kind_sends_what_it_says(kind: str) -> None:
    """Between drawing and sending nothing is lost: the fields that stand on the page say the definition."""
    example = dict(KINDS[kind].example)
    root = from_definition(example)
    row = root.parts[0]
    assert isinstance(row, Row) and row.form is not None
    drawn = row.form.draw(row.values, "c.0.f", Around("0", Known()))
    controls = [*drawn.line, *(control for line in drawn.below for control in line)]
    sent = {control.name: control.value for control in controls if control.name}
    assert written(from_form({"c.bare": "1", "c.0.kind": kind, **sent})).definition == example
    assert all(control.label for control in controls if control.form in ("entry", "area", "choice", "press"))


@pytest.mark.parametrize("kind", KINDS.keys())
def test_a_fresh_condition_says_what_is_still_to_be_said_at_its_own_place(kind: str) -> None:
    root = Group("all", [Row("sample", from_definition(KINDS["sample"].example).parts[0].values)])  # type: ignore[union-attr]
    assert tree.act(root, f"add::{kind}") == "1"
    found = written(root)
    problems = []
    try:
        parse(found.definition)
    except Invalid as refused:
        problems = refused.problems
    assert {found.place_of(problem.path) for problem in problems} == ({"1"} if kind != "message" else set())


# ── Buttons ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def leaf(slug: str) -> dict[str, Any]:
    return {"kind": "segment", "slug": slug}


A, B, C = leaf("a"), leaf("b"), leaf("c")


@pytest.mark.parametrize(
    ("before", "press", "after", "goes_on_at"),
    [
        ({"all": [A, B]}, "up:1", {"all": [B, A]}, "0"),
        ({"all": [A, B]}, "up:0", {"all": [A, B]}, "0"),
        ({"all": [A, B]}, "down:0", {"all": [B, A]}, "1"),
        ({"all": [A, {"any": [B, C]}]}, "up:1.0", {"all": [A, B, {"any": [C]}]}, "1"),
        ({"all": [A, {"any": [B, C]}]}, "down:1.1", {"all": [A, {"any": [B]}, C]}, "2"),
        ({"all": [A, B]}, "remove:0", {"all": [B]}, "0"),
        ({"all": [A]}, "remove:0", {"all": []}, ""),
        ({"all": [A]}, "double:0", {"all": [A, A]}, "1"),
        ({"all": [A]}, "negate:0", {"all": [{"not": A}]}, "0"),
        ({"all": [{"not": A}]}, "negate:0", {"all": [A]}, "0"),
        ({"all": [A, B]}, "wrap:1", {"all": [A, {"any": [B]}]}, "1"),
        ({"all": [{"any": [A, B]}, C]}, "unwrap:0", {"all": [A, B, C]}, "0"),
        ({"all": [A]}, "nest:", {"all": [A, {"any": []}]}, "1"),
        ({"all": [A, {"any": [B]}]}, "move:0:1:0", {"all": [{"any": [A, B]}]}, "0.0"),
        ({"all": [A, {"any": [B]}]}, "move:1.0::0", {"all": [B, A, {"any": []}]}, "0"),
        ({"all": [{"any": [{"all": [A]}]}]}, "move:0:0.0:0", {"all": [{"any": [{"all": [A]}]}]}, "0"),
        (A, "negate:0", {"not": A}, "0"),
    ],
)
def test_a_button_does_what_it_says(before: Any, press: str, after: Any, goes_on_at: str) -> None:
    root = from_definition(before)
    assert tree.act(root, press) == goes_on_at
    assert written(root).definition == after


@pytest.mark.parametrize(
    ("word", "definition"),
    [
        ("all", {"all": [A]}),
        ("any", {"any": [A]}),
        ("none", {"not": {"any": [A]}}),
        ("notall", {"not": {"all": [A]}}),
    ],
)
@pytest.mark.parametrize("before", [{"all": [A]}, {"not": {"any": [A]}}, {"not": {"not": {"all": [A]}}}])
def test_a_group_says_which_of_its_parts_must_hold(word: str, definition: Any, before: Any) -> None:
    found = written(from_form({**dict(tree.fields_of(from_definition(before))), "c.word": word})).definition
    assert parse(found).sentence() == parse(definition).sentence()


keys = st.lists(
    st.sampled_from(
        [*"012", "word", "kind", "f", "nots", "bare", "name", "op", "value", "where", "is", "n", "", "x" * 50]
    ),
    max_size=6,
).map(lambda parts: ".".join(["c", *parts]))
texts = st.one_of(
    st.text(max_size=6),
    st.sampled_from(
        ["all", "none", "event", "attribute", "sequence", "measure", "is:text", "in:mixed", "between:numbers", "5"]
    ),
)
presses = st.builds(
    "{}:{}:{}".format,
    st.sampled_from(
        ["up", "down", "add", "move", "wrap", "unwrap", "more", "less", "name", "negate", "nest", "double", "no"]
    ),
    st.sampled_from(["", "0", "1", "0.0", "9", "-1", "x", "0.x"]),
    st.sampled_from(["", "event", "0:0", "1:9", "where", "name.0", "x.y.z", "\x00"]),
)


@given(st.dictionaries(keys, texts, max_size=15), st.lists(presses, max_size=4))
def test_whatever_is_sent_and_pressed_there_is_a_form(data: dict[str, str], pressed: list[str]) -> None:
    root = from_form(data)
    for press in pressed:
        tree.act(root, press)
    found = written(root)
    try:
        parse(found.definition)
    except Invalid as refused:
        for problem in refused.problems:
            tree.find(root, found.place_of(problem.path))


def test_what_is_stored_of_a_kind_that_is_gone_stays_as_it_is() -> None:
    definition = {"all": [{"kind": "phase_of_the_moon", "phase": "full"}, A]}
    assert came_back(definition) == definition
