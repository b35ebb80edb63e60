"""Edits of documents and how two of them come together, on documents and edits that nobody thought of."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeys.editor import edits, shape
from journeys.editor.edits import AddArm, Change, Delete, Insert, Move, MoveArm, RemoveArm, Set
from journeys.editor.merging import changed, merge
from journeys.editor.shape import Gap, Gone


def grown(draw: Any, depth: int, count: list[int]) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(0 if depth else 1, 4))):
        count[0] += 1
        kind = draw(st.sampled_from(["message", "wait", "exit", *(["branch", "split"] if depth < 3 else [])]))
        step = edits.begun(kind, set())
        step["key"] = f"{kind}-{count[0]}"
        for arm in shape.arms(step):
            arm.given["steps"] = grown(draw, depth + 1, count)  # type: ignore[index]
        steps.append(step)
    return steps


@st.composite
def documents(draw: Any) -> shape.Document:
    return {**shape.empty(), "steps": grown(draw, 0, [0])}


def some_edit(draw: Any, document: shape.Document, name: str) -> Any:
    """An edit that makes sense in the document; `name` tells its new steps from another's."""
    keys = [spot.step["key"] for spot in shape.walk(document)]
    gaps = [*(Gap(key) for key in keys), *(Gap(list=own) for own, _ in shape.lists(copy.deepcopy(document)))]
    gap, key = draw(st.sampled_from(gaps)), draw(st.sampled_from(keys))
    forked = [spot.step for spot in shape.walk(document) if spot.step["kind"] in ("branch", "split")]
    choices: list[Any] = [
        Insert(gap, [{"key": f"new-{name}", "kind": "wait", "for": {"days": 1}}]),
        Change(key, {"label": f"Said by {name}"}),
        Delete(key),
        Move(key, gap),
        Set("exit", {"kind": "event", "name": name}),
        Set("filter", None),
    ]
    if forked:
        step = draw(st.sampled_from(forked))
        arm = draw(st.sampled_from([one.given["key"] for one in shape.arms(step)]))
        choices += [
            AddArm(step["key"], {"key": f"arm-{name}"}, before=arm),
            RemoveArm(step["key"], arm),
            MoveArm(step["key"], arm, draw(st.sampled_from([-1, 1]))),
        ]
    return draw(st.sampled_from(choices))


@st.composite
def edited(draw: Any) -> tuple[shape.Document, Any, Any]:
    document = draw(documents())
    return document, some_edit(draw, document, "ada"), some_edit(draw, document, "ben")


def done(edit: Any, document: shape.Document) -> shape.Document:
    """The document after it; an edit that cannot be done changes nothing."""
    before = copy.deepcopy(document)
    try:
        return edit.apply(document)  # type: ignore[no-any-return]
    except Gone:
        return before
    finally:
        assert document == before, "an edit must not change what it was given"


@settings(max_examples=30, deadline=None)
@given(edited())
def test_documents_stay_sound_in_structure_whatever_is_done_to_them(case: tuple[Any, Any, Any]) -> None:
    document, first, second = case
    assert shape.flaws(done(second, done(first, document))) == []


@settings(max_examples=50, deadline=None)
@given(edited())
def test_taking_an_edit_back_restores_the_document_and_taking_that_back_does_it_again(
    case: tuple[Any, Any, Any],
) -> None:
    document, edit, _ = case
    after = done(edit, document)
    assert merge(after, document, after).document == document
    assert merge(document, after, document).document == after


@settings(max_examples=60, deadline=None)
@given(edited())
def test_two_edits_come_to_the_same_whoever_is_first_and_are_sound(case: tuple[Any, Any, Any]) -> None:
    document, ada, ben = case
    hers, his = done(ada, document), done(ben, document)
    one, other = merge(document, hers, his), merge(document, his, hers)
    assert one.document == other.document
    assert sorted(one.clashes) == sorted(other.clashes)
    if one.document is None:
        assert one.clashes
    else:
        assert shape.flaws(one.document) == []
        # Each has what both put in, and nothing that either took out.
        before, mine, theirs = (shape.keys(one) for one in (document, hers, his))
        assert shape.keys(one.document) == (mine & theirs) | (mine - before) | (theirs - before)


@settings(max_examples=50, deadline=None)
@given(edited())
def test_an_edit_of_other_steps_is_merged_and_can_be_taken_back_alone(case: tuple[Any, Any, Any]) -> None:
    document, ada, ben = case
    hers, his = done(ada, document), done(ben, document)
    both = merge(document, hers, his).document
    if both is not None and not set(changed(document, hers)) & set(changed(document, his)):
        back = merge(hers, document, both)
        if back.document is not None:
            assert shape.keys(back.document) == shape.keys(his)
            assert (
                not set(changed(his, back.document))
                - set(changed(document, hers))
                - {key for key in shape.keys(his) if key in changed(document, his)}
            )


def two_ways() -> shape.Document:
    return {
        "entry": {"trigger": {"kind": "event", "name": "signed_up"}},
        "steps": [
            {"key": "hello", "kind": "message"},
            {
                "key": "fork",
                "kind": "branch",
                "arms": [
                    {"key": "yes", "steps": [{"key": "tips", "kind": "message"}]},
                    {"key": "no", "steps": []},
                ],
            },
            {"key": "end", "kind": "exit"},
        ],
    }


def test_the_same_step_changed_twice_is_a_clash() -> None:
    document = two_ways()
    mine = Change("tips", {"template": "a"}).apply(document)
    theirs = Change("tips", {"template": "b"}).apply(document)
    assert merge(document, mine, theirs).clashes == ["tips"]


@pytest.mark.parametrize(
    ("mine", "theirs", "over"),
    [
        (Delete("fork"), Change("tips", {"template": "b"}), "tips"),
        (Delete("fork"), Insert(Gap(list="fork/no"), [{"key": "n", "kind": "exit"}]), "fork"),
        (RemoveArm("fork", "no"), Insert(Gap(list="fork/no"), [{"key": "n", "kind": "exit"}]), "fork"),
        (Delete("fork"), Move("tips", Gap("hello")), "tips"),
        (Move("tips", Gap("hello")), Move("tips", Gap("end")), "tips"),
        (Set("goal", {"condition": {"all": []}}), Set("goal", {"condition": {"any": []}}), "goal"),
    ],
)
def test_what_one_took_out_or_put_elsewhere_under_the_hands_of_the_other_is_a_clash(
    mine: Any, theirs: Any, over: str
) -> None:
    document = two_ways()
    assert over in merge(document, mine.apply(document), theirs.apply(document)).clashes


def test_a_step_moves_past_its_neighbours_and_out_of_its_way_at_the_edge() -> None:
    document = two_ways()
    assert edits.next_to(document, "hello", -1) is None
    assert edits.next_to(document, "hello", 1) == Gap("fork")
    assert edits.next_to(document, "tips", -1) == Gap("hello")
    assert edits.next_to(document, "tips", 1) == Gap("fork")
    with pytest.raises(Gone):
        Move("fork", Gap("tips")).apply(document)


def test_copies_have_keys_of_their_own() -> None:
    document = two_ways()
    [copy_of] = edits.copied([document["steps"][1]], shape.keys(document))
    assert copy_of["key"] == "fork-2"
    assert shape.inside(copy_of) == ["fork-2", "tips-2"]
