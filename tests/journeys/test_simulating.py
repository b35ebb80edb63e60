"""One person played through a document: what is told is what the engine would do, and nothing of it stays."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from foundation.errors import Invalid
from journeys import calling, simulating
from journeys.models import Call, Journey
from journeys.simulating import Deed, Played
from messaging.models import Message
from profiles.models import Profile, Pulse
from staff.models import Team
from tests.journeys.conftest import SIGNED_UP, Stage, branch, send, wait
from tests.receiving import receiving

FEATURE = {"kind": "event", "name": "feature_used"}


def document(*steps: Any, **parts: Any) -> dict[str, Any]:
    return {
        "entry": {"trigger": parts.pop("trigger", SIGNED_UP), **parts.pop("entry", {})},
        "steps": list(steps),
        **parts,
    }


def play(stage: Stage, doc: Any, person: Any, *deeds: Deed, days: float = 30, **more: Any) -> Played:
    return simulating.simulate(
        "onboarding", doc, person=person, deeds=deeds, start=more.pop("start", not deeds), at=stage.now,
        until=stage.now + timedelta(days=days), **more,
    )  # fmt: skip


def way(played: Played) -> list[str]:
    return [f"{one['step']} {one['what']}" + (f":{one['arm']}" if one["arm"] else "") for one in played.happened]


def everything() -> dict[str, Any]:
    """How many rows each table holds, but for what only counts."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(
                f"SELECT count(*), md5(coalesce(string_agg(t::text, chr(10) ORDER BY t::text), '')) FROM \"{table}\" t"
            )
            found[table] = cursor.fetchone()
    return found


def test_a_person_is_played_through_with_a_clock_at_will_and_nothing_stays(stage: Stage, ada: Profile) -> None:
    Team.objects.create(slug="success", name="Success")
    task = {"key": "call", "kind": "task", "title": "Call {{ profile.first_name }}", "team": "success"}
    update = {"key": "set", "kind": "update", "set": {"stage": "new"}}
    doc = document(send("hello"), wait("pause", days=2), branch("way", FEATURE, [send("tips")], [task]), update)
    before = everything()
    signed_up, used = Deed("signed_up", stage.now), Deed("feature_used", stage.now + timedelta(hours=1))
    played = play(stage, doc, ada, signed_up, used)
    assert way(played) == [
        "hello entered", "hello advance", "pause wait", "pause advance", "way advance:yes", "tips advance",
        "set advance",
    ]  # fmt: skip
    assert [(one["at"] - stage.now, one["step"]) for one in played.messages] == [
        (timedelta(0), "hello"),
        (timedelta(days=2), "tips"),
    ]
    assert (played.entered, played.state, played.cut) == (True, "completed", "")
    without = play(stage, doc, ada, signed_up)
    assert [one["title"] for one in without.tasks] == ["Call Ada"]
    assert everything() == before


def test_somebody_made_up_is_played_as_anybody(stage: Stage) -> None:
    plan = {"kind": "attribute", "name": "plan", "op": "is", "value": "trial"}
    doc = document(branch("way", plan, [send("yes")], [send("no")]))
    assert way(play(stage, doc, {"attributes": {"plan": "trial"}}))[1:] == ["way advance:yes", "yes advance"]
    assert way(play(stage, doc, {"first_name": "Eve"}))[1:] == ["way advance:no", "no advance"]
    assert not Profile.objects.exists() and not Pulse.objects.exists()


def test_who_is_kept_out_is_told_why(stage: Stage, ada: Profile) -> None:
    trial = {"kind": "attribute", "name": "plan", "op": "is", "value": "trial"}
    played = play(stage, document(send("a"), entry={"filter": trial}), ada, Deed("signed_up", stage.now))
    assert (played.entered, [one["cause"] for one in played.refusals]) == (False, ["filter"])


def test_goals_and_awaited_events_count_as_they_do(stage: Stage, ada: Profile) -> None:
    awaiting = {
        "key": "await", "kind": "wait_for", "arms": [{"key": "did", "name": "feature_used", "steps": [send("tips")]}],
        "timeout": {"after": {"days": 3}, "key": "not", "steps": []},
    }  # fmt: skip
    doc = document(awaiting, wait("pause"), goal={"condition": {"kind": "event", "name": "paid"}})
    used, paid = (Deed(name, stage.now + timedelta(hours=n)) for n, name in ((5, "feature_used"), (9, "paid")))
    played = play(stage, doc, ada, used, paid, start=True)
    assert way(played) == [
        "await entered", "await wait", "await advance:did", "tips advance", "pause wait", "pause ended",
    ]  # fmt: skip
    assert played.converted_at == paid.at
    assert [one["state"] for one in played.messages] == ["suppressed"]


def test_a_journey_that_runs_is_not_touched_and_chance_is_drawn_by_its_name(stage: Stage, ada: Profile) -> None:
    arms = [{"key": f"arm{n}", "weight": 1, "steps": []} for n in range(8)]
    doc = document({"key": "split", "kind": "split", "arms": arms}, wait("pause"))
    stage.journey(*doc["steps"])
    stage.does(ada, "signed_up")
    stage.rest()
    before = everything()
    played = play(stage, doc, ada, Deed("signed_up", stage.now + timedelta(hours=1)))
    assert way(played)[1] == stage.story(ada)[1]
    assert everything() == before
    assert Journey.objects.count() == 1 and not Message.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_nothing_of_it_is_woken_locked_or_left(committing_stage: Stage, person: Any) -> None:
    stage, ada = committing_stage, person("ada")
    before = everything()
    play(stage, document(send("hello"), wait("pause"), send("bye")), ada)
    assert everything() == before
    with connection.cursor() as cursor:
        # Others' tests share the server, not the database.
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        assert cursor.fetchone() == (0,)


def test_the_engine_itself_does_the_same(stage: Stage, ada: Profile) -> None:
    doc = document(wait("pause", hours=3), branch("way", FEATURE, [send("tips")], [send("help", "nudge")]))
    played = play(stage, doc, ada, Deed("signed_up", stage.now), Deed("feature_used", stage.now + timedelta(hours=1)))
    stage.journey(*doc["steps"])
    stage.does(ada, "signed_up")
    stage.rest()
    stage.now += timedelta(hours=1)
    stage.does(ada, "feature_used")
    stage.rest()
    stage.go_on(hours=2)
    assert way(played) == stage.story(ada)


def test_what_cannot_be_played_is_refused(stage: Stage, ada: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Invalid, match="there is no template"):
        play(stage, document(send("a", "missing")), ada)
    with pytest.raises(Invalid, match="more than 100"):
        play(stage, document(send("a")), ada, *[Deed("x", stage.now)] * 101)
    with pytest.raises(Invalid, match="between 0 and 60"):
        play(stage, document(send("a")), ada, days=61)
    monkeypatch.setattr(simulating, "SECONDS", -1.0)
    assert "more than" in play(stage, document(send("a")), ada).cut


def test_an_error_undoes_all_of_it_too(stage: Stage, ada: Profile) -> None:
    before = everything()
    with pytest.raises(RuntimeError), transaction.atomic(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulating._Play, "_tell", lambda *_: (_ for _ in ()).throw(RuntimeError))
        play(stage, document(send("a")), ada)
    assert everything() == before


def test_a_webhook_is_shown_and_not_called(stage: Stage, ada: Profile, settings: Any) -> None:
    with receiving() as receiver:
        settings.OUTGOING_HOSTS = [receiver.host]
        hook = {"key": "hook", "kind": "webhook", "url": receiver.url, "body": {"who": "{{ profile.first_name }}"}}
        document = {"entry": {"trigger": {"kind": "manual"}}, "steps": [hook, send("hello")]}
        played = simulating.simulate(
            "x", document, person=ada, start=True, at=stage.now, until=stage.now + timedelta(days=2)
        )
        calling.tick(stage.now)
        assert receiver.received == []
    assert [(one["step"], one["url"], one["body"]) for one in played.calls] == [
        ("hook", receiver.url, '{"who": "Ada"}')
    ]
    assert [(one["step"], one["what"]) for one in played.happened][-2:] == [("hook", "advance"), ("hello", "advance")]
    assert not Call.objects.exists()
