"""What every kind of condition must do, whatever it asks: each is held to it from its first day."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundation.errors import Invalid
from profiles.models import Profile
from segments.kinds import KINDS
from segments.language import Asked, Scope, parse
from segments.places import DEPTH, NODES
from tests.segments.strategies import AT
from tests.segments.world import Done, Someone, settle

ALL_KINDS = KINDS.keys()
every_kind = pytest.mark.parametrize("kind", ALL_KINDS)


def example(kind: str) -> dict[str, Any]:
    return dict(KINDS[kind].example)


@pytest.fixture
def crowd(db: None) -> list[Someone]:
    """People of whom some match each example, and some do not."""
    day = timedelta(days=1)
    people = [
        Someone(
            attributes={"plan": ["trial", "pro", None][n % 3]},
            account={"seats": 10 * n} if n % 2 else None,
            columns={"external_id": None} if n == 5 else {},
            events=[
                *(Done("report_exported", AT - k * day) for k in range(n)),
                *(Done("order_paid", AT - k * day, {"total": 100 * n}) for k in range(3)),
                *([Done("signed_up", AT - 20 * day)] if n % 2 else []),
                *([Done("$message_opened", AT - n * day, {"template": "welcome"})] if n % 4 == 0 else []),
                *([Done("$journey_completed", AT - day, {"journey": "onboarding"})] if n == 2 else []),
                *(Done("page", AT - k * day) for k in range(n, 14)),
            ],
        )
        for n in range(12)
    ]
    return settle(people)


def test_all_kinds_of_the_design_are_there() -> None:
    assert set(ALL_KINDS) == {
        *("attribute", "account", "event", "measure", "recency", "trend", "sequence", "top"),
        *("segment", "consent", "message", "journey", "sample"),
    }


@every_kind
def test_a_kind_says_what_it_is(kind: str) -> None:
    assert all((KINDS[kind].label, KINDS[kind].group, KINDS[kind].icon, KINDS[kind].__doc__))


@every_kind
@pytest.mark.parametrize("back", [0, 3, 40])
def test_it_and_its_negation_part_the_people(kind: str, back: int, crowd: list[Someone]) -> None:
    at = AT - timedelta(days=back)
    yes, no = parse(example(kind)).matching(None, at=at), parse({"not": example(kind)}).matching(None, at=at)
    assert yes.isdisjoint(no)
    assert yes | no == {one.id for one in crowd}


@every_kind
@pytest.mark.parametrize("back", [0, 3, 40])
def test_of_some_people_it_says_what_it_says_of_all(kind: str, back: int, crowd: list[Someone]) -> None:
    at, condition = AT - timedelta(days=back), parse(example(kind))
    everybody = condition.matching(None, at=at)
    for some in ({one.id for one in crowd[::2]}, {crowd[3].id}, set()):
        assert condition.matching(some, at=at) == everybody & some
    assert condition.count(at) == len(everybody)


@every_kind
def test_of_each_asked_it_says_the_same(kind: str, crowd: list[Someone]) -> None:
    everybody = parse(example(kind)).matching(None, at=AT)
    asked = [Asked(key=one.id, profile_id=one.id) for one in crowd]
    assert parse(example(kind), scope=Scope.JOURNEY).matching_each(asked, at=AT) == everybody


@every_kind
def test_its_explanation_agrees_and_says_more(kind: str, crowd: list[Someone]) -> None:
    condition = parse({"all": [{"not": example(kind)}]})
    matching = condition.matching(None, at=AT)
    for one in crowd:
        whole, negation, leaf = condition.explain(one.id, at=AT)
        assert (whole.path, negation.path, leaf.path) == ("", "all[0]", "all[0].not")
        assert whole.holds == negation.holds == (one.id in matching) == (not leaf.holds)
        assert leaf.sentence and leaf.depth == 2


@every_kind
def test_its_sentence_is_one(kind: str) -> None:
    for definition in (example(kind), {"not": example(kind)}):
        sentence = parse(definition).sentence()
        assert sentence.startswith("People who")
        assert "None" not in sentence and "Decimal" not in sentence and "  " not in sentence


@every_kind
def test_it_says_what_it_needs(kind: str) -> None:
    needs = parse(example(kind)).needs()
    some = (needs.events, needs.attributes, needs.account, needs.segments, needs.time, needs.anything)
    assert any(some) or kind == "sample"


@every_kind
def test_each_field_is_demanded_or_has_a_default(kind: str) -> None:
    whole = example(kind)
    for key in set(whole) - {"kind"}:
        try:
            parse({k: v for k, v in whole.items() if k != key})
        except Invalid as invalid:
            assert [problem.path for problem in invalid.problems] == [key]


@every_kind
def test_a_field_that_it_does_not_know_is_refused(kind: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse({"any": [{**example(kind), "windows": 1}]})
    assert [problem.path for problem in refusal.value.problems] == ["any[0].windows"]


json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=True), st.text(max_size=10)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
)
hostile: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(
            "a') OR 1=1--",
            "__",
            "user__password__startswith",
            "_connector",
            "\x00",
            "\ud800",
            "x" * 10_000,
            "%",
            "%(v0)s",
        ),
        *({}, [], {"days": -1}, {"days": 10**30}, {"days": 1.5}, {"last": {"days": "7"}}, {"between": ["2026-01-01"]}),
        *(10**400, float("inf"), float("nan"), True, None, "", "2026-02-30", {"since": "entry"}, {"op": "gte"}),
    ]
)


@every_kind
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_SQ01_a_bad_shape_is_refused_with_its_path_and_never_otherwise(kind: str, data: st.DataObject) -> None:
    definition = example(kind)
    for key in data.draw(st.lists(st.sampled_from(sorted(definition)), min_size=1, max_size=2)):
        definition[key] = data.draw(st.one_of(hostile, json))
    _refused_or_fine({"all": [definition]}, "all[0]")


@settings(max_examples=300, deadline=None)
@given(definition=json)
def test_SQ01_arbitrary_json_is_refused_or_read(definition: Any) -> None:
    _refused_or_fine(definition, "")


def _refused_or_fine(definition: Any, path: str) -> None:
    try:
        condition = parse(definition)
    except Invalid as invalid:
        assert invalid.problems
        assert all(problem.path.startswith(path) and problem.reason for problem in invalid.problems)
    else:
        assert condition.sentence() and condition.needs() and condition.lines()


@pytest.mark.django_db
@every_kind
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_SQ01_what_is_valid_can_be_asked_whatever_its_names_and_values(kind: str, data: st.DataObject) -> None:
    definition = example(kind)
    texts = [key for key, value in definition.items() if isinstance(value, str) and key not in ("kind", "op", "of")]
    for key in texts:
        definition[key] = data.draw(st.one_of(st.text(min_size=1, max_size=20), hostile))
    try:
        condition = parse(definition)
    except Invalid:
        return
    q_text = _statement(condition)
    assert all(str(definition[key]) not in q_text for key in texts if len(str(definition[key])) > 12)
    condition.matching(None, at=AT)
    assert condition.sentence()


def _statement(condition: Any) -> str:
    from segments.question import Question

    q = Question(AT, condition.names())
    return q.select(["p.id"], condition.holds(q))[0]


# ── Paths, one by one ────────────────────────────────────────────────────────────────────────────────────────────────
EVENT = {"kind": "event", "name": "a"}


@pytest.mark.parametrize(
    ("definition", "paths"),
    [
        ({"all": [EVENT, {**EVENT, "count": {"op": "most", "value": 1}}]}, ["all[1].count.op"]),
        ({"all": [EVENT, {**EVENT, "count": {"op": "gte"}}]}, ["all[1].count.value"]),
        ({"all": [{"any": [{"not": {"kind": "event"}}]}]}, ["all[0].any[0].not.name"]),
        ({"kind": "events"}, ["kind"]),
        ({}, [""]),
        ([], [""]),
        ({"all": {}}, ["all"]),
        ({"all": [], "any": []}, ["any"]),
        ({"all": [], "note": "x"}, ["note"]),
        ({"not": [EVENT]}, ["not"]),
        ({**EVENT, "window": {"last": {"days": 0}}}, ["window.last.days"]),
        ({**EVENT, "window": {"last": {"months": 1}}}, ["window.last"]),
        ({**EVENT, "window": {"between": ["2026-01-01", "soon"]}}, ["window.between[1]"]),
        ({**EVENT, "window": {"since": "entry"}}, ["window.since"]),
        ({**EVENT, "where": [{"property": "x", "op": "gt", "value": "1"}]}, ["where[0].value"]),
        ({**EVENT, "where": [{"property": "x", "op": "in", "value": ["a", {}]}]}, ["where[0].value[1]"]),
        ({**EVENT, "where": {"property": "x"}}, ["where"]),
        ({"kind": "event", "name": []}, ["name"]),
        ({"kind": "event", "name": ["a", ""]}, ["name[1]"]),
        ({"kind": "event", "name": "a\x00"}, ["name"]),
        ({"kind": "attribute", "name": "x", "op": "is"}, ["value"]),
        ({"kind": "attribute", "name": "x", "op": "is", "value": None}, ["value"]),
        ({"kind": "attribute", "name": "x", "op": "is_set", "value": 1}, ["value"]),
        ({"kind": "attribute", "name": "x", "op": "before", "value": "2026-02-30"}, ["value"]),
        ({"kind": "attribute", "op": "like"}, ["name", "op"]),
        ({"kind": "measure", "name": "a", "of": "sum", "op": "gt", "value": 1}, ["property"]),
        ({"kind": "measure", "name": "a", "of": "days", "property": "x", "op": "gt", "value": 1}, ["property"]),
        ({"kind": "recency", "name": "a", "op": "before", "value": {"days": 1}}, ["op"]),
        ({"kind": "trend", "name": "a", "window": {"days": 7}, "op": "falls_by", "percent": 101}, ["percent"]),
        ({"kind": "sequence", "steps": [{"name": "a"}], "within": {"days": 1}}, ["steps"]),
        (
            {"kind": "sequence", "steps": [{"name": "a"}, {"names": "b"}], "within": {"days": 1}},
            ["steps[1].name", "steps[1].names"],
        ),
        ({"kind": "top", "name": "a", "percent": 101}, ["percent"]),
        ({"kind": "segment", "slug": "no spaces"}, ["slug"]),
        ({"kind": "consent", "topic": "t", "channel": "email", "state": "yes"}, ["state"]),
        ({"kind": "sample", "percent": 10}, ["salt"]),
    ],
)
def test_a_refusal_names_the_path(definition: Any, paths: list[str]) -> None:
    with pytest.raises(Invalid) as refusal:
        parse(definition)
    assert sorted(problem.path for problem in refusal.value.problems) == paths


def _nested(depth: int) -> Any:
    definition: Any = EVENT
    for _ in range(depth):
        definition = {"not": definition}
    return definition


def test_SQ01_depth_and_number_of_parts_have_limits() -> None:
    parse(_nested(DEPTH))
    for depth in (DEPTH + 1, 900):
        with pytest.raises(Invalid, match="deep"):
            parse(_nested(depth))
    parse({"all": [EVENT] * (NODES - 1)})
    with pytest.raises(Invalid, match=f"more than {NODES}"):
        parse({"all": [EVENT] * NODES})


def test_a_journey_knows_when_it_began() -> None:
    parse({**EVENT, "window": {"since": "step"}}, scope=Scope.JOURNEY)
    with pytest.raises(Invalid):
        parse({**EVENT, "window": {"since": "never"}}, scope=Scope.JOURNEY)


@pytest.mark.django_db
def test_matching_each_is_one_question_however_many_are_asked(crowd: list[Someone], monkeypatch: Any) -> None:
    from segments import question

    asked: list[str] = []
    ask = question.ask

    def noting(text: str, params: Any) -> Any:
        asked.append(text)
        return ask(text, params)

    monkeypatch.setattr(question, "ask", noting)
    condition = parse({"any": [example("event"), example("sequence"), example("attribute")]})
    costs = []
    for people in (crowd[:1], crowd):
        asked.clear()
        condition.matching_each([Asked(one.id, one.id, AT, AT, AT - timedelta(days=9)) for one in people], at=AT)
        costs.append(len(asked))
    assert costs[0] == costs[1]


@pytest.mark.django_db
def test_an_event_type_that_was_renamed_answers_under_both_names(ada: Profile, ben: Profile, now: datetime) -> None:
    from profiles.models import EventType
    from tests.segments.world import did, number

    did([(ada.id, Done("Export", now)), (ben.id, Done("report_exported", now))])
    EventType.objects.filter(name="Export").update(renamed_to=number("report_exported"))
    for name in ("Export", "report_exported"):
        assert parse({"kind": "event", "name": name}).matching(None, at=now) == {ada.id, ben.id}
    kinds = {"kind": "measure", "name": "*", "of": "distinct", "property": "$name", "op": "is", "value": 1}
    did([(ben.id, Done("Export", now))])
    assert parse(kinds).matching(None, at=now) == {ada.id, ben.id}
