"""What a journey document may say, and how it is told what is wrong."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeys import documents, program

EVENT = {"kind": "event", "name": "signed_up"}
EXAMPLE = {
    "entry": {
        "trigger": {"kind": "event", "name": "signed_up", "where": []},
        "filter": {"all": []},
        "reentry": {"rule": "once"},
    },
    "goal": {"condition": {"kind": "event", "name": "report_exported"}, "within": {"days": 14}, "exit": True},
    "exit": {"kind": "event", "name": "account_closed"},
    "steps": [
        {"key": "hello", "kind": "message", "channel": "email", "template": "welcome"},
        {"key": "pause", "kind": "wait", "for": {"days": 2}},
        {
            "key": "active",
            "kind": "branch",
            "arms": [
                {
                    "key": "yes",
                    "label": "Used a core feature",
                    "when": {"kind": "event", "name": "feature_used"},
                    "steps": [{"key": "tips", "kind": "message", "channel": "in_app", "template": "power-tips"}],
                },
                {"key": "no", "label": "Everyone else", "steps": [{"key": "bye", "kind": "exit", "reason": "Not now"}]},
            ],
        },
        {"key": "later", "kind": "wait", "for": {"hours": 1}},
    ],
}


def journey(*steps: Any, **parts: Any) -> dict[str, Any]:
    return {"entry": {"trigger": EVENT}, "steps": list(steps), **parts}


def wait(key: str) -> dict[str, Any]:
    return {"key": key, "kind": "wait", "for": {"days": 1}}


def paths(document: Any) -> list[str]:
    return [problem.path for problem in documents.flaws(document)]


def test_the_example_of_the_design_is_sound() -> None:
    assert documents.flaws(EXAMPLE) == []


def test_arms_fall_through_to_the_step_after_their_branch() -> None:
    steps = program.compiled(EXAMPLE)["steps"]
    assert program.compiled(EXAMPLE)["first"] == "hello"
    assert [steps[key]["next"] for key in ("hello", "pause", "active", "tips", "bye", "later")] == [
        "pause",
        "active",
        "later",
        "later",
        "later",
        None,
    ]
    assert steps["active"]["arms"] == {"yes": "tips", "no": "bye"}
    assert "steps" not in steps["active"]["given"]["arms"][0]
    assert steps["active"]["given"]["arms"][0]["when"] == {"kind": "event", "name": "feature_used"}


def test_an_empty_arm_leads_to_the_step_after_its_branch() -> None:
    branch = {
        "key": "b",
        "kind": "branch",
        "arms": [{"key": "x", "when": EVENT, "steps": []}, {"key": "y", "steps": []}],
    }
    steps = program.compiled(journey(branch, wait("w")))["steps"]
    assert steps["b"]["arms"] == {"x": "w", "y": "w"}
    assert program.compiled(journey(branch))["steps"]["b"]["arms"] == {"x": None, "y": None}


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (None, ""),
        ([], ""),
        ({}, "entry"),
        ({"entry": {}, "steps": [wait("w")]}, "entry.trigger"),
        ({"entry": {"trigger": EVENT}, "steps": [wait("w")], "priority": 101}, "priority"),
        ({"entry": {"trigger": EVENT}, "steps": [wait("w")], "priority": True}, "priority"),
        ({"entry": {"trigger": EVENT}, "steps": [wait("w")], "pauses_above": 3}, "pauses_above"),
        ({"entry": {"trigger": EVENT}, "steps": [wait("w")], "pauses_above": {"lost": 3}}, "pauses_above.lost"),
        ({"entry": {"trigger": EVENT}, "steps": [wait("w")], "pauses_above": {"failed": -1}}, "pauses_above.failed"),
        ({"entry": {"trigger": []}, "steps": [wait("w")]}, "entry.trigger"),
        ({"entry": {"trigger": {"kind": "moon"}}, "steps": [wait("w")]}, "entry.trigger.kind"),
        ({"entry": {"trigger": [EVENT, {"kind": "event"}]}, "steps": [wait("w")]}, "entry.trigger[1].name"),
        ({"entry": {"trigger": EVENT, "reentry": {"rule": "often"}}, "steps": [wait("w")]}, "entry.reentry.rule"),
        (
            {"entry": {"trigger": EVENT, "reentry": {"rule": "once", "gap": 1}}, "steps": [wait("w")]},
            "entry.reentry.gap",
        ),
        ({"entry": {"trigger": EVENT, "filter": {"kind": "no"}}, "steps": [wait("w")]}, "entry.filter.kind"),
        (journey(), "steps"),
        (journey(wait("w"), gaol={}), "gaol"),
        (journey(wait("w"), goal={"condition": EVENT, "within": {"days": 0}}), "goal.within.days"),
        (journey(wait("w"), goal={"condition": EVENT, "exit": "yes"}), "goal.exit"),
        (journey(wait("w"), exit={"all": [{"kind": "event"}]}), "exit.all[0].name"),
        (journey({"kind": "wait", "for": {"days": 1}}), "steps[0].key"),
        (journey({"key": "a b", "kind": "wait", "for": {"days": 1}}), "steps[0].key"),
        (journey(wait("w"), wait("w")), "steps[1].key"),
        (journey({"key": "w", "kind": "sleep"}), "steps[0].kind"),
        (journey({"key": "w", "kind": "wait", "for": {"moons": 1}}), "steps[0].for"),
        (journey({"key": "w", "kind": "wait", "for": {"days": 1}, "colour": "red"}), "steps[0].colour"),
        (journey({"key": "m", "kind": "message", "channel": "email"}), "steps[0].template"),
        (journey({"key": "b", "kind": "branch"}), "steps[0].arms"),
        (
            journey({"key": "b", "kind": "branch", "arms": [{"key": "x", "when": EVENT, "steps": []}]}),
            "steps[0].arms[0].when",
        ),
        (journey({"key": "b", "kind": "branch", "arms": [{"key": "x"}, {"key": "x"}]}), "steps[0].arms[0].when"),
        (
            journey({"key": "b", "kind": "branch", "arms": [{"key": "x", "when": EVENT}, {"key": "x"}]}),
            "steps[0].arms[1].key",
        ),
        (
            journey(wait("w"), {"key": "b", "kind": "branch", "arms": [{"key": "x", "steps": [wait("w")]}]}),
            "steps[1].arms[0].steps[0].key",
        ),
    ],
)
def test_what_is_wrong_is_named_by_its_path(document: Any, path: str) -> None:
    assert path in paths(document)


def test_a_condition_inside_a_branch_is_named_to_the_operator_and_by_the_step() -> None:
    when = {
        "all": [
            {"kind": "attribute", "name": "a", "op": "is", "value": 1},
            {"kind": "attribute", "name": "a", "op": "eq"},
        ]
    }
    document = journey(
        wait("w"), wait("v"), {"key": "fork", "kind": "branch", "arms": [{"key": "x", "when": when}, {"key": "y"}]}
    )
    [problem] = documents.flaws(document)
    assert problem.path == "steps[2].arms[0].when.all[1].op"
    assert "'fork'" in problem.reason


def test_a_journey_that_could_start_itself_for_ever_is_refused() -> None:
    trigger = {"kind": "event", "name": "$journey_completed"}
    for rule in ({"rule": "every_time"}, {"rule": "again"}, {"rule": "again", "gap": {"hours": 1}}):
        document = {"entry": {"trigger": trigger, "reentry": rule}, "steps": [wait("w")]}
        assert paths(document) == ["entry.reentry"]
    for rule in ({"rule": "once"}, {"rule": "again", "gap": {"days": 1}}):
        assert paths({"entry": {"trigger": trigger, "reentry": rule}, "steps": [wait("w")]}) == []


def test_a_document_is_bounded_in_depth_and_size() -> None:
    inner: dict[str, Any] = wait("w")
    for depth in range(12):
        inner = {"key": f"b{depth}", "kind": "branch", "arms": [{"key": "x", "steps": [inner]}]}
    assert any("deep" in problem.reason for problem in documents.flaws(journey(inner)))
    assert any("300" in problem.reason for problem in documents.flaws(journey(*(wait(f"w{n}") for n in range(301)))))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def nearly(draw: st.DrawFn) -> Any:
    """A sound document in which something was replaced by anything."""

    def spoiled(value: Any) -> Any:
        if draw(st.integers(0, 14)) == 0:
            return draw(JSON)
        if isinstance(value, dict):
            return {key: spoiled(inner) for key, inner in value.items()}
        return [spoiled(inner) for inner in value] if isinstance(value, list) else value

    return spoiled(EXAMPLE)


@given(JSON)
def test_whatever_json_comes_is_judged_and_never_fails(document: Any) -> None:
    assert all(problem.reason for problem in documents.flaws(document))


@given(nearly())
def test_a_spoiled_document_is_judged_and_a_sound_one_compiles(document: Any) -> None:
    if documents.flaws(document) == []:
        steps = program.compiled(document)["steps"]
        assert set(steps) == {step["key"] for _, step in documents.walk(document)}
