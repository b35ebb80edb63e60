"""A batch is its calls, one after the other: whatever they say of each other's people."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from profiles.ingest import Trust, take
from tests.profiles.told import state

NOW = datetime.fromisoformat("2026-11-24T10:00:00+00:00")
users = st.sampled_from(["u1", "u2", "u3"])
devices = st.sampled_from(["a1", "a2", "a3", "u3"])  # an id may be of both kinds
maybe = st.none()
times = st.sampled_from([NOW - timedelta(hours=h) for h in (0, 1, 2, 30)]).map(datetime.isoformat)
message_ids = st.one_of(st.uuids().map(str), st.sampled_from(["m1", "m2"]))
traits = st.dictionaries(
    st.sampled_from(["email", "firstName", "plan", "seats", "name"]),
    st.sampled_from(["a@example.com", "b@example.com", None]),
    max_size=3,
)
plain = st.fixed_dictionaries({"messageId": message_ids, "timestamp": times})


def _call(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(plain, st.fixed_dictionaries({"type": st.just(kind), **fields})).map(lambda two: two[0] | two[1])


either = {"userId": users | maybe, "anonymousId": devices | maybe}
calls = st.one_of(
    _call("track", event=st.sampled_from(["Visited", "Paid", "$ours"]), **either),
    _call("track", event=st.sampled_from(["Visited", "Paid"]), **either),
    _call("identify", traits=traits, userId=users, anonymousId=devices),
    _call("identify", traits=traits, **either),
    _call("group", groupId=st.sampled_from(["g1", "g2"]), traits=traits, **either),
    _call("alias", previousId=st.one_of(devices, users), userId=users),
)


class _Undo(Exception):
    pass


def _outcome(work: Callable[[], object]) -> dict[str, Any]:
    try:
        with transaction.atomic():
            work()
            found = state()
            raise _Undo
    except _Undo:
        return found


def _in_one(batch: list[Any], trust: Trust) -> None:
    take(batch, source="key:Test", trust=trust, now=NOW)


def _one_by_one(batch: list[Any], trust: Trust) -> None:
    for item in batch:
        take([item], source="key:Test", trust=trust, now=NOW)


# A browser may not have its id lead to somebody with earlier traffic; said twice, it is kept as it was first said.
LINKED_TWICE: list[Any] = [
    {"messageId": "1", "timestamp": "2026-11-24T10:00:00Z", "type": "track", "event": "Visited", "userId": "u1"},
    *(
        {
            "messageId": hour,
            "timestamp": f"2026-11-24T{hour}:00:00Z",
            "type": "identify",
            "userId": "u1",
            "anonymousId": "a",
        }
        for hour in ("10", "09")
    ),
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(before=[], batch=LINKED_TWICE, trust=Trust.BROWSER)
@given(before=st.lists(calls, max_size=6), batch=st.lists(calls, max_size=14), trust=st.sampled_from(Trust))
def test_a_batch_does_what_its_calls_do_one_by_one(db: None, before: list[Any], batch: list[Any], trust: Trust) -> None:
    def after_some(work: Callable[[list[Any], Trust], None]) -> dict[str, Any]:
        def both() -> None:
            _one_by_one(before, Trust.SERVER)
            work(batch, trust)

        return _outcome(both)

    whole, single = after_some(_in_one), after_some(_one_by_one)
    for part in single:
        assert whole[part] == single[part], part
