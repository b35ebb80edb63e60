from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from config import ticking
from config.celery import app
from config.management.commands import tick
from foundation import clock, loops

START = datetime(2030, 5, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
Tick = Callable[[datetime], int]


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> dict[str, Tick]:
    """No loops but those that a test puts here."""
    app.loader.import_default_modules()
    mine: dict[str, Tick] = {}
    monkeypatch.setattr(loops, "_ticks", mine)
    return mine


@pytest.fixture
def manual(transactional_db: None, settings: Settings) -> None:
    settings.CAIRN_CLOCK = "manual"
    clock.set_to(START)


def _tick(*words: str) -> str:
    out = StringIO()
    call_command("tick", *words, stdout=out)
    return out.getvalue()


class Chain:
    """Work that one loop leaves to the next, until the last has done all of it."""

    def __init__(self, ticks: dict[str, Tick], *names: str, work: int) -> None:
        self.left = dict.fromkeys(names, 0)
        self.left[names[0]] = work
        for name, following in zip(names, (*names[1:], None), strict=True):
            ticks[name] = partial(self._do_one, name, following)

    def _do_one(self, name: str, following: str | None, now: datetime) -> int:
        if not self.left[name]:
            return 0
        self.left[name] -= 1
        if following:
            self.left[following] += 1
        return 1


@pytest.mark.parametrize("back", [False, True])
def test_it_rests_when_all_of_a_round_had_nothing_to_do(ticks: dict[str, Tick], back: bool) -> None:
    # Whether work goes the way of the order or against it.
    names = ["a", "b", "c", "journeys.react"]
    chain = Chain(ticks, *(reversed(names) if back else names), work=5)
    assert ticking.rest(START) == Counter(dict.fromkeys(names, 5))
    assert set(chain.left.values()) == {0}


def test_the_order_is_that_of_cause_and_effect(ticks: dict[str, Tick]) -> None:
    asked: list[str] = []

    def note(name: str, now: datetime) -> int:
        asked.append(name)
        return 0

    for name in ("profiles.observe", "messaging.dispatch", "journeys.advance", "segments.sweep", "journeys.react"):
        ticks[name] = partial(note, name)
    assert ticking.rest(START) == Counter()
    assert asked == [*ticking.FIRST, "profiles.observe"]


def test_a_loop_that_never_rests_is_named(ticks: dict[str, Tick]) -> None:
    ticks["journeys.react"] = lambda now: 0
    ticks["segments.sweep"] = lambda now: 1
    with pytest.raises(ticking.Restless, match=r"segments\.sweep never rests: it found work in 1000 runs at 2030-"):
        ticking.rest(START)


def test_loops_that_keep_each_other_busy_are_named(ticks: dict[str, Tick]) -> None:
    state = {"ball": "a"}

    def plays(name: str, other: str) -> Tick:
        def play(now: datetime) -> int:
            if state["ball"] != name:
                return 0
            state["ball"] = other
            return 1

        return play

    ticks["a"], ticks["b"], ticks["c"] = plays("a", "b"), plays("b", "a"), lambda now: 0
    with pytest.raises(ticking.Restless, match=r"in 100 rounds at 2030-05-01 12:00: a, b found work in each"):
        ticking.rest(START)


def test_a_loop_that_raises_is_named(ticks: dict[str, Tick]) -> None:
    def broken(now: datetime) -> int:
        raise ZeroDivisionError("by nothing")

    ticks["journeys.advance"] = broken
    with pytest.raises(ticking.Failed, match=r"journeys\.advance failed at 2030-05-01 12:00: ZeroDivisionError: by n"):
        ticking.rest(START)


@given(hours=st.integers(1, 200), step=st.integers(1, 50))
def test_moments_go_by_the_step_and_end_where_asked(hours: int, step: int) -> None:
    until = START + timedelta(hours=hours)
    found = list(ticking.moments(START, until, timedelta(hours=step)))
    assert found[-1] == until
    assert [*found] == sorted(set(found))
    assert all(START < moment <= until for moment in found)
    gaps = {later - earlier for earlier, later in zip([START, *found], found[:-1], strict=False)}
    assert gaps <= {timedelta(hours=step)}
    assert len(found) == -(-hours // step)


def test_no_moments_lie_between_a_time_and_itself() -> None:
    assert list(ticking.moments(START, START, HOUR)) == []


def test_what_falls_due_is_done_at_its_step(manual: None, ticks: dict[str, Tick]) -> None:
    due = [START + timedelta(minutes=minutes) for minutes in (0, 30, 61, 180)]
    done: list[tuple[datetime, datetime]] = []

    def advance(now: datetime) -> int:
        ready = [at for at in due if at <= now]
        for at in ready:
            due.remove(at)
            done.append((at, now))
        return len(ready)

    ticks["journeys.advance"] = advance
    said = _tick("--until", "2030-05-01T15:30Z")
    assert [(now - START) / HOUR for _, now in done] == [0, 1, 2, 3]
    assert clock.now() == START + timedelta(hours=3.5)
    assert said.splitlines() == [
        "2030-05-01 12:00:00+00:00  journeys.advance 1",
        "2030-05-01 13:00:00+00:00  journeys.advance 1",
        "2030-05-01 14:00:00+00:00  journeys.advance 1",
        "2030-05-01 15:00:00+00:00  journeys.advance 1",
        "It is 2030-05-01 15:30:00+00:00. In all: journeys.advance 4.",
    ]


def test_without_a_moment_it_does_what_is_due_and_moves_nothing(manual: None, ticks: dict[str, Tick]) -> None:
    Chain(ticks, "journeys.react", "journeys.advance", work=3)
    assert _tick() == "It is 2030-05-01 12:00:00+00:00. journeys.advance 3, journeys.react 3.\n"
    assert _tick() == "It is 2030-05-01 12:00:00+00:00. nothing was due.\n"
    assert clock.now() == START


def test_no_worker_runs_meanwhile(manual: None, ticks: dict[str, Tick]) -> None:
    def react(now: datetime) -> int:
        other = connections["default"].copy()
        try:
            with other.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_lock_shared(%s)", [loops._TICKING])
                assert cursor.fetchone() == (False,)
        finally:
            other.close()
        return 0

    ticks["journeys.react"] = react
    _tick("--until", "2030-05-01T13:00Z")


def test_months_are_there_before_the_clock_enters_them(manual: None, ticks: dict[str, Tick]) -> None:
    def there(now: datetime) -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [f"profiles_event_{now:%Y_%m}"])
            assert cursor.fetchone() == (True,), now
        return 0

    ticks["journeys.react"] = there
    ticking._turn_the_month(START)
    _tick("--until", "2031-04-01", "--step", "70d")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--until", "2030-05-01T11:59Z"], "It is 2030-05-01 12:00:00+00:00 already: the clock moves forwards only"),
        (["--until", "soon"], "--until is 'soon'; write a time in ISO 8601, like 2026-12-24T18:00+01:00."),
        (
            ["--until", "2031-01-01", "--step", "1y"],
            "--step is '1y'; write a number and a unit: 90s, 15m, 1h",
        ),
        (["--until", "2031-01-01", "--step", "0h"], "--step is '0h'; write a number and a unit"),
        (["--until", "2031-01-01", "--step=-1h"], "--step is '-1h'; write a number and a unit"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    manual: None, ticks: dict[str, Tick], words: list[str], sentence: str
) -> None:
    with pytest.raises(CommandError) as refused:
        _tick(*words)
    assert str(refused.value).startswith(sentence)
    assert clock.now() == START


@pytest.mark.django_db
def test_real_time_cannot_be_moved() -> None:
    with pytest.raises(CommandError, match="Set CAIRN_CLOCK=manual, here and where Cairn runs"):
        _tick("--until", "2031-01-01")


def test_a_time_without_a_zone_is_in_the_projects(settings: Settings) -> None:
    settings.PROJECT_TIME_ZONE = "Europe/Vienna"
    assert tick._moment("2030-07-01T12:00") == datetime(2030, 7, 1, 10, 0, tzinfo=UTC)
    assert tick._moment("2030-07-01") == datetime(2030, 6, 30, 22, 0, tzinfo=UTC)
    assert tick._moment("2030-07-01T12:00+00:00") == datetime(2030, 7, 1, 12, 0, tzinfo=UTC)


def test_steps_have_units() -> None:
    assert [tick._step(text) for text in ("90s", "15m", "1h", "2d", "1w")] == [
        timedelta(seconds=90),
        timedelta(minutes=15),
        HOUR,
        timedelta(days=2),
        timedelta(weeks=1),
    ]
