"""The screens on playbooks: looked at, by other names, made as drafts, as files; never over what is there."""

import re
from datetime import datetime
from html import escape, unescape
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from consent.models import Topic
from foundation.errors import Invalid
from journeys import publishing
from journeys.models import Journey
from messaging import templates
from messaging.models import Template
from playbooks import asking, files, installing, reading
from profiles import catalogue, ingest
from profiles.ingest import Trust
from segments.models import Segment
from staff.models import AuditEntry, User

pytestmark = pytest.mark.django_db
GALLERY = "/admin/journeys/journey/playbooks/"
FILE = "/admin/journeys/journey/file/"


def signed_in(*groups: str) -> Client:
    user = User.objects.create_user(f"olga-{'-'.join(groups)}", is_staff=True)
    user.groups.set(Group.objects.filter(name__in=groups))
    client = Client()
    client.force_login(user)
    return client


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def sent(answer: Any, **more: Any) -> dict[str, Any]:
    """What the form of a page sends back."""
    seen = re.search(r'name="seen" value="(\w+)"', answer.content.decode())
    assert seen
    return {"seen": seen[1], "do": "start", **more}


def file(book: str) -> SimpleUploadedFile:
    return SimpleUploadedFile("mine.yaml", book.encode())


@pytest.mark.parametrize("slug", files.slugs())
def test_each_playbook_can_be_looked_at_before_anything_of_it_is_there(slug: str) -> None:
    answer = signed_in("author").get(f"{GALLERY}{slug}/")
    book = files.load(slug)
    assert answer.status_code == 200
    shown = text(answer)
    for row in [*book.segments, *book.templates, *book.journeys]:
        assert escape(str(row["name"])) in shown
    assert shown.count("<iframe") == sum(row["channel"] == "email" for row in book.templates)
    assert "cannot be shown" not in shown and "cannot be read" not in shown


def test_the_gallery_shows_all_of_them_and_the_menu_and_a_new_journey_lead_there() -> None:
    client = signed_in("author")
    shown = text(client.get(GALLERY))
    assert all(files.load(slug).what in unescape(shown) for slug in files.slugs())
    assert "5 steps" in shown or "6 steps" in shown
    assert GALLERY in text(client.get("/admin/")) and GALLERY in text(client.get("/admin/journeys/journey/add/"))


def test_one_is_said_to_be_here_only_if_its_journeys_are_and_not_others_of_the_same_slug(now: datetime) -> None:
    document = files.load("win-back").journeys[0]["document"]
    publishing.save("win-back", name="Something else", document=document, now=now)
    client = signed_in("author")
    assert "Is here already" not in text(client.get(GALLERY))
    publishing.save("win-back", name=files.load("win-back").journeys[0]["name"], document=document, now=now)
    assert text(client.get(GALLERY)).count("Is here already") == 1


def test_an_author_starts_from_one_and_gets_drafts_by_the_names_of_the_project(now: datetime) -> None:
    did = [
        {"type": "track", "userId": "ada", "event": name} for name in ("User Registered", "Signed Up", "Report made")
    ]
    ingest.take(did, source="key x", trust=Trust.SERVER, now=now)
    catalogue.observe(now)
    client = signed_in("author")
    page = client.get(f"{GALLERY}onboarding/")
    assert "Perhaps “<bdi>Signed Up</bdi>”?" in text(page)
    names = {"name.event.signed_up": "Signed Up", "name.event.feature_used": "Report made", "name.event.x": "y"}
    looked = client.post(f"{GALLERY}onboarding/", {**names, "do": "look"})
    assert "When somebody does “Signed Up”" in text(looked) and not Journey.objects.exists()
    answer = client.post(f"{GALLERY}onboarding/", sent(looked, **names))
    journey = Journey.objects.get(slug="onboarding")
    assert answer["Location"] == f"/admin/journeys/journey/{journey.pk}/edit/"
    draft = publishing.draft_of(journey)
    assert draft is not None and (journey.status, journey.version) == ("draft", None)
    assert draft.document["entry"]["trigger"]["name"] == "Signed Up"
    assert "Report made" in str(draft.document) and "feature_used" not in str(draft.document)
    assert Segment.objects.get(slug="new-people").definition["name"] == "Signed Up"
    assert Topic.objects.filter(slug="getting-started").exists()
    entry = AuditEntry.objects.get(verb="start", kind="playbook")
    assert entry.actor == "user:olga-author" and entry.details["called"]["event signed_up"] == "Signed Up"
    # Once more: all of it is here, and stays.
    again = client.get(f"{GALLERY}onboarding/")
    assert "is there already" not in text(again)


def test_what_is_here_is_never_replaced_unless_it_was_seen_and_chosen(now: datetime) -> None:
    installing.install(files.load("onboarding"), now=now)
    said = Template.objects.get(slug="onboarding-welcome")
    blocks = [{"kind": "text", "text": "Our own words."}]
    templates.save(said.slug, name=said.name, channel="email", topic="getting-started", subject="Ours", blocks=blocks, now=now)  # fmt: skip # noqa: E501
    drawn = {**files.load("onboarding").journeys[0]["document"], "priority": 7}
    publishing.save("onboarding", name="Onboarding", document=drawn, now=now)
    client = signed_in("publisher")
    page = client.get(f"{GALLERY}onboarding/")
    shown = text(page)
    assert "2 things are here already" in shown and "Somebody is at work on its draft" in shown
    assert "<del>Ours</del>" in shown and "was: <bdi>Priority 7</bdi>" in shown

    def ours() -> str:
        version = Template.objects.get(slug="onboarding-welcome").version
        return version.subject if version else ""

    def priority() -> Any:
        draft = publishing.draft_of(Journey.objects.get(slug="onboarding"))
        return draft and draft.document.get("priority")

    client.post(f"{GALLERY}onboarding/", sent(page, there="keep"))
    assert (ours(), priority()) == ("Ours", 7)
    client.post(f"{GALLERY}onboarding/", sent(page, there="beside"))
    assert (ours(), priority()) == ("Ours", 7)
    draft = publishing.draft_of(Journey.objects.get(slug="onboarding-2"))
    assert draft and draft.document["steps"][0]["template"] == "onboarding-welcome-2"
    # Somebody changed it after it was looked at: nothing is done.
    templates.save(said.slug, name=said.name, channel="email", topic="getting-started", subject="Newer", blocks=blocks, now=now)  # fmt: skip # noqa: E501
    stale = client.post(
        f"{GALLERY}onboarding/", sent(page, there="change", chosen="1", take="template.onboarding-welcome")
    )
    assert stale.status_code == 400 and "changed since you looked" in text(stale) and ours() == "Newer"
    client.post(f"{GALLERY}onboarding/", sent(stale, there="change", chosen="1", take="template.onboarding-welcome"))
    assert (ours(), priority()) == ("Welcome, {{ profile.first_name | default: 'good to have you' }}", 7)


def test_a_journey_is_taken_along_as_a_file_and_brought_back(now: datetime) -> None:
    installing.install(files.load("onboarding"), now=now)
    client = signed_in("publisher")
    journey = Journey.objects.get()
    assert "Download as file" in text(client.get(f"/admin/journeys/journey/{journey.pk}/change/"))
    taken = client.get(f"/admin/journeys/journey/{journey.pk}/file/")
    assert taken["Content-Disposition"] == 'attachment; filename="onboarding.yaml"'
    book = taken.content.decode()
    same = client.post(FILE, {"file": file(book)})
    assert same.status_code == 200 and "Is here already, just so" in text(same)
    other = book.replace("days: 2", "days: 3").replace("name: Welcome", "name: Hello")
    page = client.post(FILE, {"file": file(other)})
    shown = text(page)
    assert "Wait for 3 days" in shown and "was: <bdi>Wait for 2 days</bdi>" in shown and "Hello" in shown
    carried = re.search(r'<textarea name="text" hidden>\n(.*?)</textarea>', page.content.decode(), re.DOTALL)
    assert carried
    client.post(FILE, sent(page, text=unescape(carried[1]), there="change", chosen="1", take="journey.onboarding"))
    draft = publishing.draft_of(journey)
    assert draft and draft.document["steps"][1]["for"] == {"days": 3}
    assert Template.objects.get(slug="onboarding-welcome").name == "Welcome"


def test_who_may_not_make_topics_does_not_do_so_by_a_file() -> None:
    book = files.written(files.load("onboarding"))
    author = signed_in("author")
    page = author.post(FILE, {"file": file(book)})
    assert "You may not add a topic" in text(page)
    refused = author.post(FILE, sent(page, text=book))
    assert refused.status_code == 400 and not Journey.objects.exists() and not Topic.objects.exists()
    viewer = signed_in("viewer")
    assert viewer.get(FILE).status_code == 403 and viewer.post(f"{GALLERY}onboarding/").status_code == 403
    assert "can start from one" in text(viewer.get(f"{GALLERY}onboarding/"))
    assert signed_in("support").get(GALLERY).status_code in (200, 403)


@pytest.mark.parametrize(
    ("book", "said"),
    [
        (b"\xff\xfe", "no text in UTF-8"),
        (b"", "is empty"),
        (b"name: [", "line 1"),
        (b"name: x\nname: y", "line 2, column 1: The file cannot be read as YAML: “name” stands twice"),
        (b"a: &a [x]\nb: [*a, *a]", "refers to parts of itself"),
        (b"[" * 5_000, "deeper than any playbook"),
        (b"name: x\nsegments: [{slug: s, position: .inf}]", "must be a number that has an end"),
        (b"name: x\nsegments: [{slug: s, position: 99999999999}]", "segments.s.position"),
        (b"name: x\nsegments: [{slug: s, description: 7}]", "segments.s.description: must be a text"),
        (b"name: x\nsegments: [{slug: s, definition: {kind: event}}]", "segments.s.definition.name"),
        (b"name: x\ntopics: [{slug: t, name: 5}]", "topics.t.purpose: is missing"),
        (b"name: x\ntopics: [{slug: t, colour: red}]", "topics.t.colour: says nothing here"),
        (b"name: x\njourneys: [{slug: j, name: J, document: {steps: []}}]", "journeys.j.document.steps"),
        (b"name: x\njourneys: [{slug: j, name: J, document: {entry: {}, steps: [{yes: 1}]}}]", "put it in quotes"),
        (b"name: x\nsegments: [{slug: s}, {slug: s}]", "stands twice"),
        (b"name: x\n", "makes nothing"),
        (b"#" * 600_000, "too large"),
    ],
)
def test_a_file_that_cannot_be_taken_says_where_and_what(book: bytes, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        reading.playbook(book)
    assert said in str(caught.value)


def test_a_file_that_cannot_be_made_changes_nothing_and_says_where() -> None:
    book = files.written(files.load("onboarding")).replace(
        "channel: email\n  topic: getting-started", "channel: email\n  topic: nowhere", 1
    )
    client = signed_in("owner")
    page = client.post(FILE, {"file": file(book)})
    assert page.status_code == 200
    refused = client.post(FILE, sent(page, text=book))
    assert refused.status_code == 400 and "topic: there is no topic" in text(refused)
    assert not Topic.objects.exists() and not Journey.objects.exists()
    wrong = client.post(FILE, {"file": file("name: x\nsegments: 5")})
    assert wrong.status_code == 400 and "Nothing was changed." in text(wrong)


def test_names_are_found_and_replaced_wherever_conditions_and_steps_hold_them() -> None:
    document = {
        "entry": {
            "trigger": {"kind": "event", "name": ["a", "b"]},
            "filter": {"kind": "attribute", "name": "plan", "op": "is", "value": "a"},
        },
        "goal": {"condition": {"kind": "sequence", "steps": [{"name": "a"}, {"name": "c"}], "within": {"days": 1}}},
        "steps": [
            {"key": "w", "kind": "wait_for", "arms": [{"key": "x", "name": "c", "steps": []}], "timeout": {}},
            {"key": "d", "kind": "wait", "until_date": {"attribute": "ends", "offset": {"days": -1}}},
            {"key": "u", "kind": "update", "set": {"plan": "c"}},
            {"key": "s", "kind": "segment", "add": "group"},
        ],
    }
    book = files.Playbook("x", "x", "", journeys=[{"slug": "j", "name": "J", "document": document}])
    assert asking.names(book) == [
        ("event", "a"),
        ("event", "b"),
        ("attribute", "plan"),
        ("event", "c"),
        ("attribute", "ends"),
    ]
    others = {("event", "a"): "A", ("event", "c"): "C", ("attribute", "plan"): "tier", ("attribute", "ends"): "end"}
    made = asking.called(book, {**others, ("segment", "group"): "group-2"}).journeys[0]["document"]
    assert made["entry"]["trigger"]["name"] == ["A", "b"] and made["entry"]["filter"]["value"] == "a"
    assert [step["name"] for step in made["goal"]["condition"]["steps"]] == ["A", "C"]
    assert made["steps"][0]["arms"][0]["name"] == "C" and made["steps"][1]["until_date"]["attribute"] == "end"
    assert made["steps"][2]["set"] == {"tier": "c"} and made["steps"][3]["add"] == "group-2"
