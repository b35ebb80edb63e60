"""Templates as a message step chooses among them: found by what they say, and framed by our own pages alone."""

from django.contrib.auth.models import Group
from django.test import Client

from consent import topics
from journeys import publishing
from journeys.editor import shape
from journeys.models import Journey
from messaging import templates
from messaging.models import Template
from staff.models import User
from tests.journeys.conftest import Stage
from tests.journeys.editor.test_views import signed_in


def test_templates_are_found_by_words_and_written_within_the_page_by_those_who_may(stage: Stage) -> None:
    topics.save(
        "news", name="Neuigkeiten", description="New.", purpose="To tell.", basis="consent", channels=["sms"],
        now=stage.now,
    )  # fmt: skip
    blocks = [{"kind": "text", "text": "50% خصم اليوم"}]
    templates.save("sale", name="A_sale", channel="sms", topic="news", subject="", blocks=blocks, now=stage.now)
    journey = publishing.begin("welcome", name="Welcome", document=shape.empty(), now=stage.now)
    author, at = signed_in("author"), f"/admin/journeys/journey/{journey.pk}/edit/templates/"

    def found(words: str) -> set[str]:
        page = author.get(at, {"part": "list", "words": words}).content.decode()
        return {one.slug for one in Template.objects.all() if f'data-look="{one.slug}"' in page}

    assert found("") == {"hello", "nudge", "sale"}
    assert found("neuigkeiten خصم") == found("50%") == found("a_s") == found("text message") == {"sale"}
    assert found("nowhere") == found("_x") == set() and found("\0") == {"hello", "nudge", "sale"}
    look = author.get(at, {"part": "look", "look": "sale"}).content.decode()
    assert "خصم" in look and 'data-use="sale"' in look and "?like=sale" in look
    assert "Choose one on the left" in author.get(at, {"part": "look", "look": "\0none"}).content.decode()
    assert signed_in_as("viewer").get(at).status_code == 403
    # Only what is asked for from within is framed, and by our own pages alone.
    template = Template.objects.get(slug="sale")
    page = author.get(f"/admin/messaging/template/{template.pk}/edit/")
    assert (page["X-Frame-Options"], "frame-ancestors 'none'" in page["Content-Security-Policy"]) == ("DENY", True)
    page = author.get(f"/admin/messaging/template/{template.pk}/edit/?inside=1")
    assert page["X-Frame-Options"] == "SAMEORIGIN" and "frame-ancestors 'self'" in page["Content-Security-Policy"]
    assert "A_sale (copy)" in author.get("/admin/messaging/template/add/?like=sale").content.decode()
    assert Journey.objects.count() == 1


def signed_in_as(group: str) -> Client:
    user = User.objects.create_user("vera", is_staff=True)
    user.groups.set(Group.objects.filter(name=group))
    client = Client()
    client.force_login(user)
    return client
