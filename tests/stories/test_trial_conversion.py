"""A trial, from sign-up to inbox: who uses the product is left in peace, who does not is helped, nobody unasked."""

import re

import pytest

from journeys import publishing
from journeys.models import Enrollment, Refusal
from messaging.models import Message
from profiles.models import Profile
from segments import definitions
from segments.models import Membership
from tests.stories.conftest import World

ONBOARDING = {
    "entry": {
        "trigger": {"kind": "event", "name": "signed_up"},
        "filter": {"kind": "attribute", "name": "plan", "op": "is", "value": "trial"},
        "reentry": {"rule": "once"},
    },
    "goal": {"condition": {"kind": "event", "name": "upgraded"}, "within": {"days": 14}, "exit": True},
    "steps": [
        {"key": "hello", "kind": "message", "channel": "email", "template": "welcome"},
        {"key": "pause", "kind": "wait", "for": {"days": 2}},
        {
            "key": "active",
            "kind": "branch",
            "arms": [
                {
                    "key": "yes",
                    "label": "Exported a report",
                    "when": {"kind": "event", "name": "report_exported"},
                    "steps": [{"key": "done", "kind": "exit", "reason": "Found their way"}],
                },
                {
                    "key": "no",
                    "label": "Everyone else",
                    "steps": [{"key": "help", "kind": "message", "channel": "email", "template": "first-report"}],
                },
            ],
        },
    ],
}


@pytest.fixture
def onboarding(world: World) -> World:
    world.topic("tips")
    world.template("welcome", "tips", "Welcome, {{ profile.first_name | default: 'friend' }}")
    world.template("first-report", "tips", "Your first report")
    publishing.save("onboarding", name="Onboarding", document=ONBOARDING, now=world.now)
    publishing.publish("onboarding", now=world.now)
    return world


def _sign_up(world: World, user: str, **traits: str) -> None:
    world.identify(user, email=f"{user}@example.com", plan="trial", **traits)
    world.agrees(user, "tips")
    world.track(user, "signed_up")


def test_who_does_not_find_their_way_is_helped_after_two_days(onboarding: World):
    _sign_up(onboarding, "ada", firstName="Ada")
    assert onboarding.subjects("ada@example.com") == ["Welcome, Ada"]
    onboarding.pass_time(days=1, hours=23)
    assert onboarding.subjects("ada@example.com") == ["Welcome, Ada"]
    onboarding.pass_time(hours=1)
    assert onboarding.subjects("ada@example.com") == ["Welcome, Ada", "Your first report"]
    assert Enrollment.objects.get().state == "completed"


def test_who_found_their_way_is_left_in_peace(onboarding: World):
    _sign_up(onboarding, "ada")
    onboarding.pass_time(days=1)
    onboarding.track("ada", "report_exported", format="pdf")
    onboarding.pass_time(days=3)
    assert onboarding.subjects("ada@example.com") == ["Welcome, friend"]
    enrollment = Enrollment.objects.get()
    assert (enrollment.state, "Found their way" in enrollment.reason) == ("exited", True)


def test_who_upgrades_hears_no_more_of_it(onboarding: World):
    _sign_up(onboarding, "ada")
    onboarding.pass_time(hours=5)
    onboarding.track("ada", "upgraded")
    enrollment = Enrollment.objects.get()
    assert enrollment.state != "active"
    assert enrollment.converted_at is not None
    onboarding.pass_time(days=3)
    assert onboarding.subjects("ada@example.com") == ["Welcome, friend"]


def test_who_never_agreed_gets_nothing_and_the_reason_is_kept(onboarding: World):
    onboarding.identify("ben", email="ben@example.com", plan="trial", firstName="Ben")
    onboarding.track("ben", "signed_up")
    onboarding.pass_time(days=3)
    assert onboarding.mails == []
    assert {message.state for message in Message.objects.all()} == {"suppressed"}
    assert all(message.guardrail == "consent" and message.reason for message in Message.objects.all())
    assert Enrollment.objects.get().state == "completed"  # a message that is stopped ends no journey


def test_who_unsubscribes_by_the_link_in_the_mail_gets_no_second(onboarding: World):
    _sign_up(onboarding, "ada")
    (mail,) = onboarding.mails
    address = re.search(r"<(http[^>]+)>", mail["List-Unsubscribe"])
    assert address and mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    path = "/" + address[1].split("/", 3)[3]
    answer = onboarding.client.post(path, {"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    onboarding.pass_time(days=3)
    assert len(onboarding.mails) == 1
    stopped = Message.objects.get(state="suppressed")
    assert stopped.guardrail == "consent"


def test_who_does_not_fit_is_refused_with_a_reason(onboarding: World):
    onboarding.identify("eve", email="eve@example.com", plan="pro")
    onboarding.track("eve", "signed_up")
    assert not Enrollment.objects.exists()
    assert Refusal.objects.get().reason


def test_nobody_takes_part_twice(onboarding: World):
    _sign_up(onboarding, "ada")
    onboarding.pass_time(days=3)
    onboarding.track("ada", "signed_up")
    onboarding.pass_time(days=3)
    assert Enrollment.objects.count() == 1
    assert len(onboarding.subjects("ada@example.com")) == 2


def test_what_is_told_as_history_moves_nobody(onboarding: World):
    onboarding.identify("ada", email="ada@example.com", plan="trial")
    onboarding.send({"type": "track", "userId": "ada", "event": "signed_up"}, historical=True)
    onboarding.pass_time(days=3)
    assert not Enrollment.objects.exists()


def test_silence_moves_people_and_brings_them_on_a_journey(world: World):
    world.topic("news")
    world.template("miss-you", "news", "We miss you")
    definitions.save(
        "dormant",
        name="Dormant",
        status="live",
        definition={"kind": "recency", "name": "signed_in", "op": "more_than_ago", "value": {"days": 14}},
        now=world.now,
    )
    document = {
        "entry": {
            "trigger": {"kind": "segment_entered", "slug": "dormant"},
            "reentry": {"rule": "again", "gap": {"days": 30}},
        },
        "steps": [{"key": "hello", "kind": "message", "channel": "email", "template": "miss-you"}],
    }
    publishing.save("win-back", name="Win back", document=document, now=world.now)
    publishing.publish("win-back", now=world.now)
    world.identify("ada", email="ada@example.com")
    world.agrees("ada", "news")
    world.track("ada", "signed_in")
    world.pass_time(days=13, hours=22)
    assert not Membership.objects.exists() and world.mails == []
    world.pass_time(hours=4)
    assert Membership.objects.get().cause == "time"
    assert world.subjects("ada@example.com") == ["We miss you"]
    world.track("ada", "signed_in")
    assert not Membership.objects.exists()


def test_somebody_anonymous_becomes_known_and_nothing_is_lost(world: World):
    definitions.save(
        "exporters",
        name="Exporters",
        status="live",
        definition={"kind": "event", "name": "report_exported"},
        now=world.now,
    )
    world.send({"type": "track", "anonymousId": "cookie-1", "event": "report_exported"})
    anonymous = Membership.objects.get().profile
    assert anonymous.external_id is None
    world.send({"type": "identify", "anonymousId": "cookie-1", "userId": "ada", "traits": {"email": "ada@example.com"}})
    world.track("ada", "report_exported")
    assert Profile.objects.count() == 1
    assert Membership.objects.get().profile.external_id == "ada"


def test_the_same_batch_again_with_another_sent_at_changes_nothing(onboarding: World):
    onboarding.identify("ada", email="ada@example.com", plan="trial")
    onboarding.agrees("ada", "tips")
    call = {"type": "track", "userId": "ada", "event": "signed_up", "messageId": "m-1"}
    onboarding.send(call)
    onboarding.pass_time(minutes=5)
    onboarding.send(call)
    assert len(onboarding.mails) == 1
    assert Enrollment.objects.count() == 1
