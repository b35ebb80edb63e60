"""The screens on journeys, as staff of several roles find them."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from journeys import publishing
from journeys.models import Journey, Refusal, Task
from messaging import templates
from messaging.models import Message, MessageState
from profiles.models import Profile
from segments import definitions
from staff.models import AuditEntry, Team, User
from tests.journeys.conftest import Stage, branch, leave, send, wait

FEATURE = {"kind": "event", "name": "feature_used"}
GOAL = {"condition": {"kind": "event", "name": "report_exported"}, "within": {"days": 14}}


def signed_in(*groups: str) -> Client:
    user = User.objects.create_user("olga", is_staff=True)
    user.groups.set(Group.objects.filter(name__in=groups))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def running(stage: Stage, ada: Profile, ben: Profile) -> Stage:
    """Ada waits; Ben was kept out by the filter."""
    pro = {"kind": "attribute", "name": "plan", "op": "is", "value": "pro"}
    stage.journey(
        send("hello"),
        wait("pause", days=2),
        branch("active", FEATURE, [leave("done", "Found it")], [send("help", "nudge")]),
        filter=pro,
        goal=GOAL,
    )
    stage.does(ada, "signed_up", source="ads")
    stage.does(ben, "signed_up")
    stage.rest()
    return stage


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def page(journey: Journey) -> str:
    return f"/admin/journeys/journey/{journey.pk}/change/"


def test_the_list_tells_how_each_journey_does(running: Stage) -> None:
    shown = text(signed_in("viewer"), "/admin/journeys/journey/")
    for word in ("Onboarding", "Live", "somebody does", "Signed up"):
        assert word in shown


def test_a_page_shows_the_whole_journey_with_who_stands_where(running: Stage) -> None:
    shown = text(signed_in("author"), page(Journey.objects.get()))
    for word in (
        "Starts when",
        "Wait for 2 days",
        "<b>1</b> here now",
        "Found it",
        "Goal",
        "within 14 days",
        "Version 1",
    ):
        assert word in shown, word
    assert "Ada" in shown and "Ben" in shown
    assert "whose plan is" in shown, "the reason why Ben did not enter"


def test_whoever_may_not_see_people_sees_none(running: Stage) -> None:
    viewer = signed_in("viewer")
    shown = text(viewer, page(Journey.objects.get()))
    assert "<b>1</b> here now" in shown
    assert "Ada" not in shown and "Ben" not in shown
    assert viewer.get("/admin/journeys/enrollment/").status_code == 403
    ada = Profile.objects.get(external_id="ada")
    assert viewer.get(reverse("admin:journeys_of_person", args=[ada.pk])).status_code == 403


def test_the_page_of_an_enrollment_tells_the_way_and_why(running: Stage, ada: Profile) -> None:
    running.does(ada, "feature_used")
    running.go_on(days=2)
    shown = text(signed_in("support"), f"/admin/journeys/enrollment/{running.enrollment(ada).pk}/change/")
    for word in ("Entered the journey", "They did signed_up", "2 days have passed", "Found it", "ads"):
        assert word in shown, word
    assert "{" not in shown.split("c-story")[1].split("</ol>")[0]


def test_whoever_asks_about_somebody_reads_what_they_did_not_get_and_why(running: Stage, ada: Profile) -> None:
    running.go_on(days=2)
    message = Message.objects.get(step="help")
    message.state, message.reason = MessageState.SUPPRESSED, "They chose not to get it."
    message.save(update_fields=["state", "reason"])
    at = f"{page(Journey.objects.get())}?person=ada"
    shown = text(signed_in("support"), at)
    assert "was to get" in shown and "They chose not to get it." in shown
    assert f"/admin/journeys/enrollment/{running.enrollment(ada).pk}/change/" in shown


def test_a_persons_page_is_given_their_journeys_and_why_not(running: Stage, ada: Profile, ben: Profile) -> None:
    support = signed_in("support")
    of_ada = text(support, reverse("admin:journeys_of_person", args=[ada.pk]))
    assert "Onboarding" in of_ada and "Wait for 2 days" in of_ada
    of_ben = text(support, reverse("admin:journeys_of_person", args=[ben.pk]))
    assert "not been on a journey" in of_ben and "did not enter" in of_ben


def test_refusals_have_a_list_and_pages(running: Stage) -> None:
    support = signed_in("support")
    assert "Ben" in text(support, "/admin/journeys/refusal/")
    assert "1 time" in text(support, f"/admin/journeys/refusal/{Refusal.objects.get().pk}/change/")
    assert "Ada" in text(support, "/admin/journeys/enrollment/?state__exact=active")


def test_who_may_publish_pauses_resumes_and_stops(running: Stage) -> None:
    publisher, journey = signed_in("publisher"), Journey.objects.get()
    for verb, status in (
        ("pause", "paused"),
        ("shift", "live"),
        ("pause", "paused"),
        ("resume", "live"),
        ("stop", "stopped"),
    ):
        assert publisher.post(page(journey), {"verb": verb}).status_code == 302
        journey.refresh_from_db()
        assert journey.status == status
    assert AuditEntry.objects.filter(kind="journey", verb="stop").get().actor == "user:olga"


def test_a_draft_is_published_from_its_page_and_what_is_wrong_with_it_is_said(running: Stage) -> None:
    publisher = signed_in("publisher")
    running.journey(send("a", "missing"), slug="next", publish=False)
    journey = Journey.objects.get(slug="next")
    check = f"/admin/journeys/journey/{journey.pk}/check/"
    assert check in text(publisher, page(journey))
    assert "The template that was chosen here is gone. Choose another." in text(publisher, check)
    running.journey(send("a"), slug="next", publish=False)
    upon = re.search(r'name="upon" value="(\d+)"', text(publisher, check))
    assert upon and publisher.post(check, {"upon": upon[1]}).status_code == 302
    journey.refresh_from_db()
    assert journey.status == "live"


def test_an_author_may_not_stop_it(running: Stage) -> None:
    author, journey = signed_in("author"), Journey.objects.get()
    assert author.post(page(journey), {"verb": "stop"}).status_code == 403
    publishing.pause("onboarding", now=running.now)
    assert "Resume" not in text(author, page(journey))


def test_staff_finish_tasks_with_the_outcome_as_a_button(stage: Stage, ada: Profile) -> None:
    Team.objects.create(slug="success", name="Customer success")
    outcomes: list[dict[str, Any]] = [{"key": key, "label": key.title(), "steps": []} for key in ("reached", "missed")]
    stage.journey({"key": "call", "kind": "task", "title": "Call Ada", "team": "success", "outcomes": outcomes})
    stage.does(ada, "signed_up")
    stage.rest()
    client = signed_in("support")
    assert "Call Ada" in text(client, "/admin/journeys/task/")
    here = f"/admin/journeys/task/{Task.objects.get().pk}/change/"
    shown = text(client, here)
    assert "Reached" in shown and "Missed" in shown and "Customer success" in shown
    answer = client.post(here, {"verb": "outcome-missed"}, follow=True).content.decode()
    assert "Call Ada: Missed." in answer
    assert (Task.objects.get().outcome, Task.objects.get().ended_by) == ("missed", "user:olga")
    assert client.post(here, {"verb": "outcome-missed"}).status_code == 403


def test_who_may_only_read_finishes_no_tasks(stage: Stage, ada: Profile) -> None:
    assert signed_in("viewer").get("/admin/journeys/task/").status_code == 403


def test_segments_templates_journeys_and_teams_go_by_their_names(stage: Stage, ada: Profile) -> None:
    Team.objects.create(slug="success", name="Customer success")
    templates.save(
        "cart", name="You left something", channel="email", topic="product", subject="Hi",
        blocks=[{"kind": "text", "text": "Hello."}], now=stage.now,
    )  # fmt: skip
    left = {"kind": "event", "name": "cart_left"}
    definitions.save("left-cart", definition=left, name="Left a cart", status="live", now=stage.now)
    following = {"entry": {"trigger": {"kind": "manual"}}, "steps": [wait("w")]}
    publishing.save("next", name="What comes next", document=following, now=stage.now)
    stage.journey(
        send("mail", "cart"),
        {"key": "call", "kind": "task", "title": "Call", "team": "success"},
        {"key": "go", "kind": "journey", "slug": "next"},
        wait("pause"),
        trigger={"kind": "segment_entered", "slug": "left-cart"},
    )
    stage.does(ada, "cart_left")
    stage.rest()
    assert stage.enrollment(ada).transitions.earliest("id").reason == "They came into the segment Left a cart."
    shown = text(signed_in("author"), page(Journey.objects.get(slug="onboarding")))
    for sentence in (
        "somebody comes into the segment Left a cart", "Send You left something by email",
        "Ask the team Customer success: Call", "Start the journey What comes next",
    ):  # fmt: skip
        assert sentence in shown, sentence
    assert "put forward for the journey What comes next" in stage.enrollment(ada).transitions.get(step="go").reason
