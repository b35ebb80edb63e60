"""The test drive and the page of tests as a browser asks for them: what may happen, what is shown, and who may."""

import html
import json
import re
from typing import Any

import pytest
from django.test import Client

from consent import topics
from journeys import publishing
from journeys.editor import driving
from journeys.models import Enrollment, Journey
from journeys.testing import keeping
from journeys.testing.models import JourneyTest
from messaging import templates
from messaging.models import Message
from profiles import people
from profiles.models import Profile
from staff.models import Team
from tests.journeys.conftest import Stage, branch, send, wait
from tests.journeys.editor.test_views import signed_in

pytestmark = pytest.mark.django_db
TRIAL = {"kind": "attribute", "name": "plan", "op": "is", "value": "trial"}


class Wheel:
    """What a browser knows of a drive: the fields of its form."""

    def __init__(self, client: Client, journey: Journey) -> None:
        self.client, self.address, self.came = client, f"/admin/journeys/journey/{journey.pk}/drive/", ""
        self.fields: dict[str, str] = {}

    def press(self, do: str, **sent: str) -> str:
        answer = self.client.post(self.address, {**self.fields, **sent, "do": do})
        assert answer.status_code in (200, 302), answer.content[:500]
        self.came = html.unescape(answer.content.decode())
        found = re.search(
            r'name="script" value="([^"]*)"><input type="hidden" name="who" value="([^"]*)"', answer.content.decode()
        )
        if found:
            self.fields = {"script": html.unescape(found[1]), "who": found[2]}
        return self.came

    @property
    def acts(self) -> list[Any]:
        acts: list[Any] = json.loads(self.fields["script"])["acts"]
        return acts


def drawn(stage: Stage) -> Journey:
    Team.objects.create(slug="success", name="Success")
    outcomes = [{"key": "yes", "label": "Reached", "steps": []}, {"key": "no", "label": "Not reached", "steps": []}]
    task = {
        "key": "call",
        "kind": "task",
        "title": "Call {{ profile.first_name }}",
        "team": "success",
        "outcomes": outcomes,
    }
    way = branch("way", TRIAL, [task], [send("bye", "nudge")])
    return stage.journey(send("hello"), wait("pause"), way, publish=False)


def test_somebody_made_up_is_driven_by_what_happens_and_by_the_clock(stage: Stage) -> None:
    journey = drawn(stage)
    wheel = Wheel(signed_in("author"), journey)
    asked = wheel.client.get(wheel.address).content.decode()
    assert 'name="a.plan"' in asked and "Somebody made up" in asked
    wheel.press("begin", put_on="1")
    assert "This person has no address for email." in wheel.came  # what the guardrails would say
    assert "They are not on it yet" in wheel.press("begin", **{"c.first_name": "Eve", "a.plan": "trial"})
    assert "They stand at “Wait for 2 days”" in wheel.press("does:signed_up")
    assert "Eve has no address for email." in wheel.came
    assert "Waits for 2 days." in wheel.came and "4 Mar 2026, 09:00" in wheel.came
    wheel.press("wait:hour")
    wheel.press("next")
    assert wheel.acts[1:] == [{"wait": {"hours": 1}}, {"wait": {"days": 1, "hours": 23}}]
    assert "Call Eve" in wheel.came and "Reached" in wheel.came
    wheel.press("becomes", **{"b.name": "seats", "b.value": "12"})
    wheel.press(
        "does", event="paid", **{"p.0.name": "amount", "p.0.value": "9.50", "p.1.name": "first", "p.1.value": "yes"}
    )
    assert wheel.acts[-2:] == [
        {"becomes": {"seats": 12}},
        {"does": "paid", "properties": {"amount": 9.5, "first": True}},
    ]
    assert wheel.came.index("2 days have passed.") < wheel.came.index("What is known of them changes")
    assert "They came to the end" in wheel.press("answers:call/yes")
    assert "They stand at" in wheel.press("back")
    assert "the clock goes forward only" in wheel.press("to", to="2026-03-01T09:00").lower()
    assert "5 Mar 2026, 10:30" in wheel.press("to", to="2026-03-05T10:30")
    assert "go on for more than 60 days" in wheel.press("to", to="2027-03-05T10:30")
    assert not Enrollment.objects.exists() and not Message.objects.exists() and not Profile.objects.exists()


def test_somebody_real_is_driven_untouched_and_a_test_is_of_somebody_like_them(stage: Stage, ada: Profile) -> None:
    journey = drawn(stage)
    people.patch("ada", {"attributes": {"plan": "trial", "secret": "x"}}, now=stage.now)
    before = Profile.objects.get(pk=ada.pk).attributes
    wheel = Wheel(signed_in("author"), journey)
    assert str(ada) in wheel.press("find", term="ada")
    assert "They stand at" in wheel.press(f"as:{ada.pk}", put_on="1")
    wheel.press("next")
    assert "Call Ada" in wheel.came
    assert "A test takes somebody made up" in wheel.press("save", name="Ada")
    wheel.press("alike")
    assert json.loads(wheel.fields["script"])["person"] == {"attributes": {"plan": "trial"}}
    assert "Call Ada" not in wheel.came and "is to: Call" in re.sub(r"<[^>]*>", "", wheel.came)
    wheel.press("save", name="On a trial")
    assert JourneyTest.objects.get().expect["step"] == "call"
    assert Profile.objects.get(pk=ada.pk).attributes == before and not Enrollment.objects.exists()


def test_what_cannot_be_read_or_played_is_said_and_changes_nothing(stage: Stage, ada: Profile) -> None:
    journey = drawn(stage)
    wheel = Wheel(signed_in("author"), journey)
    assert "email" in wheel.press("begin", **{"c.email": "no address"}) and "Take them along" in wheel.came
    wheel.press("begin")
    kept = dict(wheel.fields)
    for do, sent, said in (
        ("does", {}, "Say what they do"),
        ("becomes", {}, "Say which value changes"),
        ("to", {"to": "soon"}, "Say a day and a time"),
        ("does", {"event": "x" * 300}, "at most 255 characters"),
        ("save", {"name": "Nothing"}, "Nothing happened yet"),
        ("sing", {}, "They are not on it yet"),
    ):
        assert said in wheel.press(do, **sent) and wheel.fields == kept
    wheel.press("enters")
    assert "Give the test a name" in wheel.press("save", name=" ")
    for script in ("", "{", "[]", '{"acts": [{"wait": {"moons": 1}}]}', "[" * 9_000):
        assert Wheel(wheel.client, journey).press("next", script=script)
    broken = publishing.begin("broken", name="Broken", document={"entry": {}, "steps": []}, now=stage.now)
    assert "to be mended first" in Wheel(wheel.client, broken).press("begin")


def test_chance_is_in_ones_hands(stage: Stage) -> None:
    arms = [{"key": key, "label": key.upper(), "weight": 1, "steps": [send(key)]} for key in ("a", "b")]
    wheel = Wheel(signed_in("author"), stage.journey({"key": "split", "kind": "split", "arms": arms}, publish=False))
    wheel.press("begin", put_on="1")
    assert "They go “A" in wheel.press("draws:split/a")
    assert "They go “B" in wheel.press("draws:split/b")
    assert json.loads(wheel.fields["script"])["draws"] == {"split": "b"}


def test_tests_are_run_accepted_renamed_and_deleted_on_their_page(stage: Stage) -> None:
    journey = drawn(stage)
    script = {"acts": [{"does": "signed_up"}, {"wait": {"days": 3}}]}
    test = keeping.save(journey, "Says bye", script=script, expect={"state": "exited", "way": ["hello"]}, now=stage.now)
    client, address = signed_in("author"), f"/admin/journeys/journey/{journey.pk}/tests/"
    assert f'href="{address}"' in client.get(f"/admin/journeys/journey/{journey.pk}/change/").content.decode()

    def press(do: str, **sent: str) -> str:
        return html.unescape(client.post(address, {"do": do, **sent}, follow=True).content.decode())

    assert "Not run yet" in client.get(address).content.decode()
    failed = press("run")
    assert "1 test fails of 1" in failed and "Send nudge by email" in failed and "They left" in failed
    checked = html.unescape(client.get(f"/admin/journeys/journey/{journey.pk}/check/").content.decode())
    assert "1 test fails" in checked and "Not expected: Wait for 2 days. 4 more differences." in checked
    assert "expects from now on" in press(f"accept:{test.pk}")
    test.refresh_from_db()
    assert (test.result, test.expect) == ("passed", {"way": ["hello", "pause", "way/no", "bye"], "state": "completed"})
    assert "It passes its tests" in client.get(f"/admin/journeys/journey/{journey.pk}/check/").content.decode()
    assert "Farewell" in press(f"rename:{test.pk}", name="Farewell")
    assert "must be a text" in press(f"rename:{test.pk}", name=" ")
    driven = html.unescape(client.get(f"/admin/journeys/journey/{journey.pk}/drive/?test={test.pk}").content.decode())
    assert "They came to the end" in driven and 'value="Farewell"' in driven
    assert "There are no tests yet" in press(f"delete:{test.pk}")


def test_who_may_not_draw_may_not_drive_and_viewers_only_read_tests(stage: Stage) -> None:
    journey = drawn(stage)
    test = keeping.save(journey, "One", script={}, expect={"state": "active"}, now=stage.now)
    viewer, home = signed_in("viewer"), f"/admin/journeys/journey/{journey.pk}/"
    assert viewer.get(f"{home}drive/").status_code == 403
    shown = viewer.get(f"{home}tests/")
    assert shown.status_code == 200 and "Delete it" not in shown.content.decode()
    refused = {
        viewer.post(f"{home}tests/", {"do": f"{do}:{test.pk}"}).status_code for do in ("delete", "rename", "accept")
    }
    assert refused == {403}


def test_what_is_typed_is_what_it_looks_like() -> None:
    typed = {"yes": True, "No": False, "12": 12, "-3": -3, "0": 0, "007": "007", "1.5": 1.5, "1e5": "1e5", "٣": "٣"}
    assert {text: repr(driving.typed(text)) for text in typed} == {text: repr(value) for text, value in typed.items()}


def test_a_message_that_would_be_stopped_says_so_as_if_they_had_agreed(stage: Stage) -> None:
    words: dict[str, Any] = {"name": "News", "description": "What is new.", "purpose": "To tell.", "basis": "consent"}
    topics.save("news", **words, channels=["email"], now=stage.now)
    blocks = [{"kind": "text", "text": "Hello {{ profile.first_name }}."}]
    templates.save("news", name="News", channel="email", topic="news", subject="News", blocks=blocks, now=stage.now)
    wheel = Wheel(signed_in("author"), stage.journey(send("news", "news"), publish=False))
    wheel.press("begin", put_on="1", **{"c.first_name": "Eve", "c.email": "eve@example.com"})
    assert "It would go." in wheel.came and "Hello Eve." in wheel.came and 'sandbox=""' in wheel.came
