"""The fold of decisions against a plain reading of the same row: what counts at any moment, and why."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import example, given
from hypothesis import strategies as st

from consent.fold import Decision, folded

START = datetime(2026, 3, 1, tzinfo=UTC)
NEVER = 100
Said = tuple[str, int, int | None, bool]
"""A state, when it was said and until when it counts (in days), and whether it settles what counts of several."""


def made(row: Sequence[Said]) -> list[Decision]:
    return [
        Decision(UUID(int=place), state, day(at), None if end is None else day(end), settles)
        for place, (state, at, end, settles) in enumerate(row)
    ]


def day(n: int) -> datetime:
    return START + timedelta(days=n)


def plainly(row: Sequence[Said]) -> tuple[str, int] | None:
    """What stands, and up to which day: found by going through the row backwards, with no state that is carried on."""
    if not (heard := [said for place, said in enumerate(row) if _counts(row, place)]):
        return None
    last = heard[-1][0]
    run = []
    for said in reversed(heard):
        if said[0] != last:
            break
        run.append(said)
        if said[3]:  # it said what counts of all before it
            break
    first = _first_of_the_run(heard)
    ends = [NEVER if end is None else end for _, at, end, settles in run if settles or at >= first or len(run) == 1]
    return last, max(ends)


def _counts(row: Sequence[Said], place: int) -> bool:
    """All but what was said at the very moment of something stricter that stood."""
    before = None
    for said in row[:place]:
        if before is None or said[0] == before[0]:
            before = said if before is None or said[1] >= before[1] else before
        elif not (said[1] == before[1] and said[0] == "granted"):
            before = said
    said = row[place]
    return before is None or said[0] == before[0] or said[1] != before[1] or said[0] == "denied"


def _first_of_the_run(heard: Sequence[Said]) -> int:
    first = len(heard) - 1
    while first and heard[first - 1][0] == heard[-1][0]:
        first -= 1
    return heard[first][1]


_yes = st.tuples(
    st.just("granted"), st.integers(0, 9), st.none() | st.integers(5, 20), st.integers(0, 9).map(lambda n: n == 0)
)
_no = st.tuples(st.just("denied"), st.integers(0, 9), st.none(), st.just(False))


@given(st.lists(st.one_of(_yes, _yes, _no), max_size=8))
@example([("granted", 0, None, False), ("granted", 3, 10, False)])  # newer and shorter
@example([("granted", 3, 10, False), ("granted", 5, 20, False), ("granted", 4, None, False)])  # older, and told last
@example([("denied", 2, None, False), ("granted", 3, 10, False), ("granted", 1, None, False)])  # older than a refusal
@example([("granted", 0, None, False), ("granted", 3, 10, True)])  # a merge settles what counts
def test_CO22_of_several_yeses_the_one_that_lasts_longest_counts_until_a_no(row: list[Said]) -> None:
    found, expected = folded(made(row)), plainly(row)
    if found is None or expected is None:
        assert found is None and expected is None
        return
    until = NEVER if found.expires_at is None else (found.expires_at - START).days
    assert (found.state, until) == (expected[0], expected[1])
    for moment in range(25):
        assert found.has_run_out(day(moment)) == (expected[0] == "granted" and expected[1] <= moment)


def test_the_newest_of_several_yeses_is_the_proof_and_the_longest_says_until_when() -> None:
    found = folded(made([("granted", 0, None, False), ("granted", 3, 10, False)]))
    assert found is not None
    assert (found.record, found.since, found.at, found.expires_at) == (UUID(int=1), day(0), day(3), None)
