"""A document held against what happened: it tells what the engine would have done, had it been live."""

from datetime import timedelta
from typing import Any

import pytest

from foundation.errors import Invalid
from journeys import backtesting
from journeys.backtesting import Found
from journeys.models import Enrollment, Transition
from messaging.models import Message
from profiles.models import Profile
from segments import definitions
from tests.journeys.conftest import SIGNED_UP, Person, Stage, branch, leave, send, wait

FEATURE = {"kind": "event", "name": "feature_used"}
PAID = {"condition": {"kind": "event", "name": "paid"}}
TRIAL = {"kind": "attribute", "name": "plan", "op": "is", "value": "trial"}


def document(*steps: Any, trigger: Any = SIGNED_UP, **parts: Any) -> dict[str, Any]:
    entry = {"trigger": trigger} | {name: parts.pop(name) for name in ("filter", "reentry") if name in parts}
    return {"entry": entry, "steps": list(steps), **parts}


def against(stage: Stage, *steps: Any, days: int = 10, **parts: Any) -> Found:
    return backtesting.backtest("onboarding", document(*steps, **parts), days=days, now=stage.now)


@pytest.fixture
def history(stage: Stage, person: Person) -> Stage:
    """Six people sign up, an hour apart, nine days ago; every other uses a feature, every third pays two days later."""
    start, end = stage.now - timedelta(days=9), stage.now
    for n in range(6):
        at = start + timedelta(hours=n, minutes=10)
        person(f"p{n}", attributes={"plan": "trial" if n < 4 else "pro"})
        for name, after in (("signed_up", 0), ("feature_used", 5), ("paid", 50)):
            if name == "signed_up" or (name == "feature_used" and n % 2) or (name == "paid" and n % 3 == 0):
                stage.now = at + timedelta(hours=after)
                stage.does(f"p{n}", name)
    stage.now = end
    return stage


def test_who_would_have_entered_gone_where_and_been_sent_what(history: Stage) -> None:
    found = against(
        history, send("hello"), wait("pause", days=1), branch("way", FEATURE, [send("tips")], [send("help", "nudge")]),
        wait("rest", days=2), send("bye"), goal=PAID, filter=TRIAL,
    )  # fmt: skip
    assert (found.entered, found.people, found.converted) == (4, 4, 2)
    assert [(one["cause"], one["times"]) for one in found.refused] == [("filter", 2)]
    assert [one["external_id"] for one in found.entries] == ["p0", "p1", "p2", "p3"]
    assert found.arms == [{"step": "way", "arm": "no", "people": 2}, {"step": "way", "arm": "yes", "people": 2}]
    steps = {one["step"]: (one["messages"], one["converted_before"]) for one in found.steps}
    assert steps == {"hello": (4, 0), "tips": (2, 0), "help": (2, 0), "bye": (2, 2)}
    assert sum(one["messages"] for one in found.messages) == 10
    assert found.states == {"completed": 2, "exited": 2}
    assert (found.as_of_then, found.as_of_now, found.cut) == (["what people did"], ["their plan"], [])
    assert not Enrollment.objects.exists() and not Message.objects.exists() and not Transition.objects.exists()


def test_it_tells_what_the_engine_does(history: Stage, person: Person) -> None:
    steps = [
        wait("pause", hours=30),
        {"key": "await", "kind": "wait_for", "arms": [{"key": "did", "name": "feature_used", "steps": [send("tips")]}],
         "timeout": {"after": {"days": 1}, "key": "not", "steps": [leave("gone")]}},
        send("bye"),
    ]  # fmt: skip
    found = against(history, *steps)
    told = {one["external_id"]: [(s["step"], s["arm"]) for s in one["steps"]] for one in found.sample}
    until = history.now
    history.now = until - timedelta(days=9)
    history.journey(*steps)
    for n in range(6):
        person_ = Profile.objects.get(external_id=f"p{n}")
        history.now = until - timedelta(days=9) + timedelta(hours=n, minutes=10)
        history.does(person_, "signed_up")
        history.rest()
    while history.now < until:
        history.go_on(hours=6)
    for n in range(6):
        passed = Transition.objects.filter(enrollment__profile__external_id=f"p{n}", answer="advance").order_by("id")
        assert told[f"p{n}"] == list(passed.values_list("step", "arm")), n


def test_reentry_is_by_the_rule(history: Stage) -> None:
    for _ in range(2):
        history.does("p1", "signed_up", at=history.now - timedelta(hours=3))
    once = against(history, send("a"))
    assert (once.entered, [one["cause"] for one in once.refused]) == (6, ["took_part"])
    assert against(history, send("a"), reentry={"rule": "every_time"}).entered == 8
    assert against(history, send("a"), reentry={"rule": "again", "gap": {"days": 30}}).entered == 6


def test_segments_dates_and_rules_are_known_too(stage: Stage, person: Person) -> None:
    for n in range(3):
        day = (stage.now - timedelta(days=n)).date().isoformat()
        person(f"p{n}", attributes={"plan": "trial", "renews_at": day})
    now, stage.now = stage.now, stage.now - timedelta(days=3)
    segment = definitions.save("trial", definition=TRIAL, name="Trial", status="live", now=stage.now)
    definitions.refresh(segment, stage.now)
    stage.now = now
    dated = against(stage, send("a"), trigger={"kind": "date", "attribute": "renews_at", "time": "09:00"})
    assert (dated.entered, dated.as_of_now) == (3, ["their renews_at"])
    rule = {"kind": "schedule", "segment": "trial", "cron": "0 9 * * *"}
    assert against(stage, send("a"), trigger=rule, days=2, reentry={"rule": "every_time"}).entered == 6
    by_segment = against(stage, send("a"), trigger={"kind": "segment_entered", "slug": "trial"})
    assert by_segment.entered == 0, "who was in it when it was built did not come in"
    assert "who came into a segment, and who left" in by_segment.as_of_then
    manual = against(stage, send("a"), trigger={"kind": "manual"})
    assert "is not known" in manual.cut[0]


def test_it_is_bounded_and_says_so(history: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtesting, "MOST_ENTRIES", 4)
    found = against(history, send("a"))
    assert (found.entered, "only the first 4" in found.cut[0]) == (4, True)
    monkeypatch.setattr(backtesting, "SECONDS", -1.0)
    assert "It took more than" in against(history, send("a")).cut[-1]
    with pytest.raises(Invalid, match="between 1 and 90"):
        against(history, send("a"), days=0)
    with pytest.raises(Invalid, match="there is no template"):
        against(history, send("a", "missing"))
