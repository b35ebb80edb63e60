from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from consent import limits
from profiles.models import Profile
from segments import definitions, membership
from segments.models import Learning, Segment
from staff.models import AuditEntry, User
from tests.segments.test_membership import taken
from tests.segments.world import Done, did

pytestmark = pytest.mark.django_db
DEFINITION = {
    "all": [
        {"kind": "attribute", "name": "plan", "op": "is", "value": "pro"},
        {"any": [{"kind": "event", "name": "report_exported"}, {"not": {"kind": "sample", "percent": 0, "salt": "x"}}]},
    ]
}


def signed_in(*permissions: str) -> Client:
    user = User.objects.create_user("maria", password="x", is_staff=True)
    for name in permissions:
        app, codename = name.split(".")
        user.user_permissions.add(Permission.objects.get(codename=codename, content_type__app_label=app))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def segment(ada: Profile, ben: Profile, now: datetime) -> Segment:
    definitions.save("pros", definition=DEFINITION, name="Our pros", reason="A first try.", now=now)
    return definitions.save("pros", status="live", description="They pay us.", now=now)


def text(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.content.decode())


def page(client: Client, segment: Segment) -> str:
    return text(client.get(reverse("admin:segments_segment_change", args=[segment.pk])))


def test_the_list_says_each_in_words(segment: Segment) -> None:
    found = text(signed_in("segments.view_segment").get(reverse("admin:segments_segment_changelist")))
    for said in ("Our pros", "People whose plan is “pro”", "Live", "Unused", "Quiet"):
        assert said in found
    assert '{"all"' not in found and "&quot;kind&quot;" not in found


def test_its_page_tells_who_is_in_it_and_how_it_came_about(segment: Segment, ada: Profile, now: datetime) -> None:
    Profile.objects.filter(id=ada.id).update(attributes={"plan": "trial"})
    later = now + timedelta(hours=1)
    membership.refresh([taken(ada, cause="attribute", attributes=("plan",))], now=later)
    found = page(signed_in("segments.view_segment", "profiles.view_profile"), segment)
    for said in (
        "All of these",
        "Whose plan is “pro”",
        "At least one of these",
        "Who did “Report exported”",
        "Not this",
    ):
        assert said in found
    for said in (
        "came",
        "went",
        "A value that changed",
        "The first build",
        "A first try.",
        "They pay us.",
        "Nobody is in it",
    ):
        assert said in found
    assert reverse("admin:profiles_profile_change", args=[ada.pk]) in found
    assert '{"all"' not in found and "&quot;kind&quot;" not in found


def test_who_may_not_see_people_gets_no_links_to_them(segment: Segment, ada: Profile) -> None:
    found = page(signed_in("segments.view_segment"), segment)
    assert reverse("admin:profiles_profile_change", args=[ada.pk]) not in found
    assert "ada@example.com" not in found


def test_what_is_wrong_is_shown(segment: Segment) -> None:
    Segment.objects.update(flagged="It takes longer than 60 seconds to ask everybody.")
    client = signed_in("segments.view_segment")
    assert "Needs attention" in text(client.get(reverse("admin:segments_segment_changelist")))
    assert "It takes longer than 60 seconds" in page(client, segment)


def test_staff_who_may_can_look_through_everybody_now(segment: Segment, ben: Profile) -> None:
    Profile.objects.filter(id=ben.id).update(attributes={"plan": "pro"})
    address = reverse("admin:segments_segment_change", args=[segment.pk])
    assert signed_in("segments.view_segment").post(address, {"verb": "refresh"}).status_code == 403
    User.objects.all().delete()
    client = signed_in("segments.view_segment", "segments.change_segment")
    answer = text(client.post(address, {"verb": "refresh"}, follow=True))
    assert "1 came, 0 went; 2 people are in it now." in answer


def test_a_persons_page_gets_their_segments_with_since_when_and_why(
    segment: Segment, ada: Profile, now: datetime
) -> None:
    client = signed_in("segments.view_segment", "profiles.view_profile")
    address = reverse("admin:segments_of_person", args=[ada.pk])
    found = text(client.get(address))
    assert "Our pros" in found and "The first build" in found
    assert address in text(client.get(reverse("admin:profiles_profile_change", args=[ada.pk])))


def test_it_needs_the_permission(segment: Segment, ada: Profile) -> None:
    client = signed_in("profiles.view_profile")
    assert client.get(reverse("admin:segments_segment_changelist")).status_code == 403
    assert client.get(reverse("admin:segments_of_person", args=[ada.pk])).status_code == 403


@pytest.mark.parametrize("size", [1, 60])
def test_the_page_costs_the_same_however_many_are_in_it(
    size: int, person: Any, now: datetime, django_assert_max_num_queries: Any
) -> None:
    for n in range(size):
        did([(person(f"p{n}").id, Done("a", now))])
    segment = definitions.save("doers", definition={"kind": "event", "name": "a"}, status="live", now=now)
    client = signed_in("segments.view_segment", "profiles.view_profile")
    with django_assert_max_num_queries(26):
        page(client, segment)


def test_what_was_learnt_is_noted_by_authors_and_shown_newest_first(segment: Segment) -> None:
    address = reverse("admin:segments_segment_change", args=[segment.pk])
    author = signed_in("segments.view_segment", "segments.add_learning")
    for said in ("They wait for\r\nan <b>invoice</b>.", "Two mails are enough."):
        assert author.post(address, {"verb": "note", "text": said}).status_code == 302
    assert author.post(address, {"verb": "note", "text": "  "}).status_code == 302
    found = page(author, segment)
    assert "Write down what was learnt." in found and "an &lt;b&gt;invoice&lt;/b&gt;." in found and "Maria, " in found
    assert found.index("Two mails are enough.") < found.index("They wait for")
    assert Learning.objects.count() == AuditEntry.objects.filter(verb="note").count() == 2
    author.logout()
    User.objects.all().delete()
    reader = signed_in("segments.view_segment")
    assert "Note it" not in page(reader, segment)
    assert reader.post(address, {"verb": "note", "text": "No."}).status_code == 403


def test_the_list_asks_as_little_for_many_as_for_few(segment: Segment, now: datetime) -> None:
    client, address = signed_in("segments.view_segment"), reverse("admin:segments_segment_changelist")
    with CaptureQueriesContext(connection) as few:
        text(client.get(address))
    for number in range(12):
        definitions.save(f"s{number}", definition={"kind": "segment", "slug": "pros"}, name=f"S {number}", now=now)
    with CaptureQueriesContext(connection) as many:
        found = text(client.get(address))
    assert len(many) <= len(few) + 2
    assert "12 places" in found


def test_CO04_a_persons_page_says_what_keeps_them_out(ada: Profile, now: datetime) -> None:
    limits.object_all(ada, now=now)
    client = signed_in("segments.view_segment", "profiles.view_profile", "segments.view_membership")
    found = text(client.get(reverse("admin:segments_of_person", args=[ada.pk])))
    assert "They object to all marketing, so they are in no segment that is used for it." in found
