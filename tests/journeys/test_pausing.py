"""A pause, the ways to go on after it, and who came meanwhile: compared with a plain account of each."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from foundation import registry
from foundation.errors import Conflict, Invalid
from journeys import audit, calling, following, publishing, resuming, skipping, starting
from journeys.models import Enrollment, Journey, QueuedEntry, Refusal, Task, Transition
from messaging.models import Message
from profiles import ingest
from profiles.identity import Trust
from profiles.models import Profile
from staff.models import Team
from tests.api.conftest import client_with
from tests.journeys.conftest import Stage, branch, send, wait

People = Callable[..., Profile]
HOURS = {"m0": 0, "m1": 5, "m2": 7, "m3": 2}
PRO = {"kind": "attribute", "name": "plan", "op": "is", "value": "pro"}


def expected(entered: datetime, begun: datetime, over: datetime, how: str) -> list[tuple[str, datetime]]:
    """What somebody is sent and when, worked out by hand."""
    sent, since = [], entered
    for step, hours in HOURS.items():
        due = since + timedelta(hours=hours)
        left_out = False
        if how == "shift" and since <= begun < due:
            due += over - begun
        elif begun < due <= over:
            due, left_out = (due, True) if how == "skip" else (over, False)
        if not left_out:
            sent.append((step, due))
        since = due
    return sent


def sent(person: Profile) -> list[tuple[str, datetime]]:
    return list(Message.objects.filter(profile=person).order_by("queued_at", "step").values_list("step", "queued_at"))


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("how", resuming.HOW)
def test_each_way_to_go_on_is_what_a_plain_account_of_it_says(
    stage: Stage, person: People, monkeypatch: pytest.MonkeyPatch, how: str, many: bool
) -> None:
    if many:  # they go on batch by batch
        monkeypatch.setattr(resuming, "AT_ONCE", 0)
        monkeypatch.setattr(resuming, "BATCH", 2)
        monkeypatch.setattr(skipping, "BATCH", 2)
    chance = random.Random(how)
    first, *rest = HOURS
    steps = [send(first), *(one for step in rest for one in (wait(f"w{step}", hours=HOURS[step]), send(step)))]
    stage.journey(*steps)
    begun, over = stage.now + timedelta(hours=9), stage.now + timedelta(hours=9 + chance.choice([3, 6, 11]))
    entering = {person(f"p{n}"): stage.now + timedelta(hours=n) for n in range(8)}
    while stage.now < over + timedelta(hours=20):
        for one, at in entering.items():
            if at == stage.now:
                stage.does(one, "signed_up")
        if stage.now == over:
            publishing.resume("onboarding", how=how, now=stage.now)
        stage.rest()
        if stage.now == begun:
            publishing.pause("onboarding", now=stage.now)
        stage.now += timedelta(hours=1)
    for one, at in entering.items():
        assert sent(one) == expected(at, begun, over, how), one
    assert audit.breaches(stage.now) == []


def test_whose_date_changes_during_the_pause_waits_for_the_new_one_whichever_way_it_is_resumed(
    stage: Stage, person: People
) -> None:
    """Hours: paused from 9 to 20, changed at 12. A moment that has come by then is as late as the pause made it."""
    date = {"key": "date", "kind": "wait", "until_date": {"attribute": "renews_at"}}
    changes = [(30, 15), (30, 10), (30, 25), (15, 30), (15, 18), (30, 30)]
    expected: dict[str, list[int | None]] = {
        "catch_up": [20, 20, 25, 30, 20, 30],
        "shift": [20, 20, 25, 30, 20, 41],  # what did not change stood still with the rest
        "skip": [None, None, 25, 30, None, 30],
    }
    began, people = stage.now, dict[str, list[Profile]]()

    def renews(one: Profile, hour: int) -> None:
        call = {"type": "identify", "userId": one.external_id, "messageId": f"{one.external_id} {hour}",
                "timestamp": stage.now.isoformat(),
                "traits": {"renews_at": (began + timedelta(hours=hour)).isoformat()}}  # fmt: skip
        assert not ingest.take([call], source="test", trust=Trust.SERVER, now=stage.now, sent_at=stage.now).rejected

    for how in resuming.HOW:
        stage.journey(date, send("hello"), slug=how, trigger={"kind": "event", "name": how})
        people[how] = [person(f"{how} {n}") for n in range(len(changes))]
        for one, (before, _) in zip(people[how], changes, strict=True):
            renews(one, before)
            stage.does(one, how)
    for hour in range(43):
        stage.now = began + timedelta(hours=hour)
        for how in resuming.HOW:
            if hour == 20:
                publishing.resume(how, how=how, now=stage.now)
            for one, (before, after) in zip(people[how], changes, strict=True):
                if hour == 12 and before != after:
                    renews(one, after)
        stage.rest()
        for how in resuming.HOW:
            if hour == 9:
                publishing.pause(how, now=stage.now)
    for how in resuming.HOW:
        hours = [[(at - began) / timedelta(hours=1) for _, at in sent(one)] for one in people[how]]
        assert hours == [[] if hour is None else [hour] for hour in expected[how]], how
    assert audit.breaches(stage.now) == []


def test_what_was_missed_is_left_out_and_ways_are_taken_as_they_were(stage: Stage, ada: Profile, ben: Profile) -> None:
    Team.objects.create(slug="success", name="Success")
    task = {"key": "call", "kind": "task", "title": "Call", "team": "success",
            "outcomes": [{"key": "reached", "label": "Reached", "steps": [send("never")]}]}  # fmt: skip
    mark = {"key": "mark", "kind": "update", "set": {"stage": "told"}}
    stage.journey(
        wait("first", hours=1),
        branch("plan", PRO, [send("hello"), mark, task], [wait("long", days=9)]),
        {"key": "chance", "kind": "split", "arms": [{"key": "a", "weight": 1, "steps": []}]},
        wait("last", hours=1),
        send("bye", "nudge"),
        {"key": "clicked", "kind": "wait_for", "timeout": {"key": "no", "after": {"days": 2}, "steps": []},
         "arms": [{"key": "yes", "name": "clicked", "steps": []}]},
    )  # fmt: skip
    for one in (ada, ben):
        stage.does(one, "signed_up")
    stage.rest()
    publishing.pause("onboarding", now=stage.now)
    stage.go_on(days=1)
    publishing.resume("onboarding", how="skip", now=stage.now)
    stage.go_on(seconds=2)
    assert stage.story(ada)[2:] == [
        "first advance", "plan advance:yes", "hello advance", "mark advance", "call advance", "chance advance:a",
        "last advance", "bye advance", "clicked wait",
    ]  # fmt: skip
    assert stage.messages(ada) == []
    assert not Task.objects.exists()
    assert Transition.objects.get(step="hello").reason == skipping.LEFT_OUT
    # Times count on as if nothing had been: the two days began an hour after the first hour.
    assert stage.enrollment(ada).due_at == stage.enrollment(ada).entered_at + timedelta(days=2, hours=2)
    assert stage.enrollment(ben).step == "long"
    assert stage.enrollment(ben).due_at == stage.enrollment(ben).entered_at + timedelta(days=9, hours=1)
    assert audit.breaches(stage.now) == []


def test_many_skip_batch_by_batch_and_nobody_is_moved_on_meanwhile(
    stage: Stage, person: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(skipping, "AT_ONCE", 2)
    monkeypatch.setattr(skipping, "BATCH", 2)
    stage.journey(wait("first", hours=1), send("hello"), wait("rest", days=5))
    for n in range(5):
        stage.does(person(f"p{n}"), "signed_up")
    stage.rest()
    publishing.pause("onboarding", now=stage.now)
    stage.now += timedelta(days=1)
    publishing.resume("onboarding", how="skip", now=stage.now)
    assert Journey.objects.get().carrying is not None
    stage.rest()
    assert Journey.objects.get().carrying is None
    assert set(Enrollment.objects.values_list("step", flat=True)) == {"rest"}
    assert not Message.objects.exists()
    assert audit.breaches(stage.now) == []


def test_many_are_not_looked_at_where_staff_wait_and_the_page_says_how_far_it_is(
    stage: Stage, person: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resuming, "AT_ONCE", 2)
    monkeypatch.setattr(resuming, "BATCH", 2)
    monkeypatch.setattr(following, "RAMP", 2)
    journey = stage.journey(wait("first", hours=1), wait("rest", days=5))
    for n in range(5):
        stage.does(person(f"p{n}"), "signed_up")
    stage.rest()
    publishing.pause("onboarding", queue=True, now=stage.now)
    stage.now += timedelta(minutes=30)
    for n in range(5):
        stage.does(person(f"late {n}"), "signed_up")
    stage.rest()
    stage.now += timedelta(hours=1)
    publishing.resume("onboarding", now=stage.now)
    journey.refresh_from_db()
    assert resuming.said(journey) == (
        "It is being resumed: 0 of 5 people have been looked at. Until that is done, nobody goes on."
    )
    stage.journey(wait("first", hours=1), wait("rest", days=5), priority=1, publish=False)
    with pytest.raises(Conflict, match="still being carried out"):
        publishing.publish("onboarding", now=stage.now)
    assert following.carry_on(stage.now) == 2
    journey.refresh_from_db()
    assert "2 of 5 people" in resuming.said(journey)
    stage.rest()
    journey.refresh_from_db()
    assert (journey.carrying, resuming.said(journey)) == (None, "")
    resumed = stage.now
    for minutes in (0, 1, 2):
        assert Enrollment.objects.filter(step="rest").count() == min(5, 2 + 2 * minutes)
        assert Enrollment.objects.count() == 5 + min(5, 2 + 2 * minutes)
        stage.go_on(minutes=1)
    assert stage.now > resumed and audit.breaches(stage.now) == []


def test_whoever_did_meanwhile_what_was_awaited_goes_on_whichever_way_it_is_resumed(
    stage: Stage, person: People
) -> None:
    awaiting = {"key": "clicked", "kind": "wait_for", "timeout": {"key": "no", "after": {"days": 9}, "steps": []},
                "arms": [{"key": "yes", "name": "clicked", "steps": [send("hello")]}]}  # fmt: skip
    for how in ("catch_up", "skip"):
        slug = how.replace("_", "-")
        stage.journey(awaiting, wait("rest"), slug=slug)
        one = person(how)
        stage.does(one, "signed_up")
        stage.rest()
        publishing.pause(slug, now=stage.now)
        stage.now += timedelta(hours=1)
        stage.does(one, "clicked")
        stage.rest()
        assert stage.enrollment(one, slug).step == "clicked"
        publishing.resume(slug, how=how, now=stage.now)
        stage.go_on(seconds=2)
        assert stage.enrollment(one, slug).step == "rest"


# ── Who comes meanwhile ──────────────────────────────────────────────────────────────────────────────────────────────
def test_whoever_comes_is_refused_or_waits_as_was_chosen(
    stage: Stage, person: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "RAMP", 2)
    journey = stage.journey(wait("rest"), trigger=[{"kind": "event", "name": "signed_up"}, {"kind": "api"}])
    early, *late = [person(f"p{n}") for n in range(6)]
    publishing.pause("onboarding", now=stage.now)
    stage.does(early, "signed_up")
    stage.rest()
    publishing.resume("onboarding", now=stage.now)
    stage.rest()
    assert stage.refusals(early) == [("paused", 1)]
    publishing.pause("onboarding", queue=True, now=stage.now)
    stage.now += timedelta(hours=1)
    came = stage.now
    for one in late:
        for _ in range(2):
            stage.does(one, "signed_up")
    stage.rest()
    with pytest.raises(Conflict, match="they enter when it is resumed"):
        starting.start(journey, early, by="api", now=stage.now)
    assert not Enrollment.objects.exists()
    stage.now += timedelta(hours=1)
    publishing.resume("onboarding", now=stage.now)
    stage.rest()
    # Two entries a minute; each came twice, and the second does not count.
    counts = [Enrollment.objects.count()]
    for _ in range(5):
        stage.go_on(minutes=1)
        counts.append(Enrollment.objects.count())
    assert counts == [1, 2, 3, 4, 5, 6]
    assert stage.enrollment(late[0]).entered_at == came
    assert not QueuedEntry.objects.exists()
    assert Transition.objects.filter(answer="entered").first().reason.endswith("The journey was paused then.")  # type: ignore[union-attr]
    assert audit.breaches(stage.now) == []


def test_whoever_waits_to_enter_is_told_no_when_the_journey_is_stopped(
    stage: Stage, ada: Profile, ben: Profile
) -> None:
    stage.journey(wait("rest"))
    publishing.pause("onboarding", queue=True, now=stage.now)
    for one in (ada, ben):
        stage.does(one, "signed_up")
    stage.rest()
    registry.erase.ask(ben)
    publishing.stop("onboarding", now=stage.now)
    stage.rest()
    assert stage.refusals(ada) == [("not_live", 1)]
    assert Refusal.objects.count() == 1
    assert not QueuedEntry.objects.exists()


def test_a_program_says_how(stage: Stage, ada: Profile) -> None:
    api, home = client_with(), "/api/v1/journeys/onboarding/"
    stage.journey(wait("rest"))
    assert api.post(f"{home}pause/", {"queue": True}).status_code == 200
    assert Journey.objects.get().queues_entries
    wrong = api.post(f"{home}resume/", {"how": "backwards"})
    assert (wrong.status_code, wrong.json()["errors"][0]["path"]) == (400, "how")
    assert api.post(f"{home}resume/", {"how": "skip"}).status_code == 200
    api.post(f"{home}pause/")
    assert api.post(f"{home}resume/", {"shift": True}).status_code == 200
    publishing.pause("onboarding", now=stage.now)
    with pytest.raises(Invalid, match="must be one of catch_up, shift, skip"):
        publishing.resume("onboarding", how="", now=stage.now)


def test_calls_wait_while_the_journey_is_paused(stage: Stage, ada: Profile) -> None:
    stage.journey({"key": "hook", "kind": "webhook", "url": "https://127.0.0.1/x"}, wait("rest"))
    stage.does(ada, "signed_up")
    stage.rest()
    publishing.pause("onboarding", now=stage.now)
    assert calling.tick(stage.now) == 0
    publishing.resume("onboarding", how="skip", now=stage.now)
    assert calling.tick(stage.now) == 1
