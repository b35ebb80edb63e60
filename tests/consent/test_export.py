"""Everything that is held about a person: as a document of a published shape, and as a page that people can read."""

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.apps import apps
from django.contrib.staticfiles import finders
from django.test import Client
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]

from config import ticking
from consent import everything, limits, links, preferences, reading, requests
from consent.ledger import Outcome
from consent.models import Reply, Topic
from consent.wordings import Wordings
from foundation import clock
from messaging import feedback
from messaging.models import Message
from playbooks import files, installing
from profiles import ingest
from profiles.ingest import Trust
from profiles.models import Profile
from staff import roles

DEVICE, ORDER = "device-7f3a", "https://example.com/?q=<b>bold</b>"


@pytest.fixture
def shopper(db: None, news: Topic, decide: Callable[..., Outcome], now: datetime, settings: Any, tmp_path: Path,
            monkeypatch: pytest.MonkeyPatch) -> Profile:  # fmt: skip
    """A customer of the demo's shop, through the front door: an error, a cart, a mail, decisions and a request."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path)
    monkeypatch.setattr(clock, "now", lambda: now)
    installing.install(files.load("web-shop"), now=now - timedelta(days=1))
    traits = {"email": "eve@example.com", "firstName": "Eve", "shop": "web", "plan": {"name": "pro", "seats": 3}}
    calls: list[dict[str, Any]] = [
        {"type": "track", "anonymousId": DEVICE, "event": "page_seen"},
        {"type": "identify", "userId": "eve", "anonymousId": DEVICE, "traits": traits},
        *({"type": "track", "userId": "eve", "event": "add_to_cart", "properties": {"n": n}} for n in range(3)),
        {"type": "track", "userId": "eve", "event": "error_page", "properties": {"at": ORDER, "seen": [1, 2]}},
    ]
    ingest.take(calls, source="key Website", trust=Trust.SERVER, now=now)
    ticking.rest(now)
    eve = Profile.objects.get(external_id="eve")
    decide(eve, "news", "granted", wording="Yes, send me news.", evidence={"control": "Save"})
    decide(eve, "news", "denied", now=now + timedelta(minutes=1))
    preferences.save(eve.id, now=now, intensity="less", time_zone="Europe/Vienna")
    requests.raise_(eve, "access", via="page", said="What do you have?", now=now)
    limits.restrict(eve, now=now)
    return eve


def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(str(finders.find(everything.SCHEMA))).read_text())
    Draft202012Validator.check_schema(found)
    return found


def page(profile: Profile, now: datetime) -> str:
    path = urlsplit(links.preferences_url(profile, now)).path
    answer = Client().get(f"{path}everything/")
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_CO07_the_export_of_a_customer_of_the_demo_is_as_its_published_schema_says(
    shopper: Profile, now: datetime
) -> None:
    path = urlsplit(links.preferences_url(shopper, now)).path
    document = json.loads(Client().get(f"{path}data/").content)
    Draft202012Validator(schema(), format_checker=FormatChecker()).validate(document)
    assert (document["format"], document["made_at"]) == (everything.FORMAT, now.isoformat())
    assert urlsplit(document["schema"]).path == schema()["$id"] == f"/static/{everything.SCHEMA}"
    assert document.keys() <= schema()["properties"].keys(), "What an app exports is described in the schema."
    for chapter in ("events", "messages", "segments", "journeys"):
        assert document[chapter], chapter
    # Whoever takes it along can bring it in elsewhere: what they did comes as it came.
    assert {one["name"] for one in document["events"]} >= {"page_seen", "add_to_cart", "error_page"}
    assert document["profile"]["attributes"] == {"shop": "web", "plan": {"name": "pro", "seats": 3}}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda one: one.pop("consent"),
        lambda one: one["profile"].pop("attributes"),
        lambda one: one["events"][0].update(occurred_at="yesterday"),
        lambda one: one["consent"]["decisions"][0].update(state="maybe"),
        lambda one: one.update(format="cairn.person/2"),
    ],
)
def test_the_schema_refuses_what_is_no_such_document(
    shopper: Profile, now: datetime, spoil: Callable[[Any], Any]
) -> None:
    document = everything.gather(shopper, now)
    spoil(document)
    assert not Draft202012Validator(schema()).is_valid(document)


def test_CO07_the_page_says_all_of_it_in_plain_words_and_without_ids(shopper: Profile, now: datetime) -> None:
    html = page(shopper, now)
    text = re.sub(r"<[^>]*>", " ", html)
    for said in (
        "Everything we hold about you", "eve@example.com", "Who you are", "What you did", "Add to cart", "3 times",
        "What you agreed to, and what not", "Yes, send me news.", "You said yes here on", "Plan: Name", "pro",
        "What we wrote to you", "Left a cart", "Less often", "Europe/Vienna", "What do you have?",
        "Your data is only stored, since", "Groups that you are in", "What we do with it",
    ):  # fmt: skip
        assert said in text, said
    document = everything.gather(shopper, now)
    ids = [str(shopper.id), DEVICE, *(event["message_id"] for event in document["events"])]
    ids += [one["hash"] for one in document["consent"]["decisions"]] + [one["id"] for one in document["messages"]]
    assert not [id for id in ids if id in html]
    for raw in ("{&#x27;", "None", "granted", "one_click", "&quot;:"):
        assert raw not in text
    assert "<b>bold</b>" not in html


def test_PP08_the_page_is_in_their_language(shopper: Profile, now: datetime) -> None:
    preferences.save(shopper.id, now=now, language="de")
    html = page(shopper, now)
    assert 'lang="de"' in html
    assert "Alles, was wir über Sie haben" in html
    assert not [one for one in ("Who you are", "What you did", "First seen") if one in html]


def test_what_an_app_exports_under_a_new_name_is_shown_too() -> None:
    groups = reading.groups({"loyalty": [{"points": 7, "since": "2026"}], "colour": "blue"}, Wordings({}))
    assert [(group.title, [fact.value for line in group.lines for fact in line.details]) for group in groups] == [
        ("Loyalty", ["7", "2026"]),
        ("Colour", []),
    ]


def test_a_page_shows_so_many_lines_and_says_how_many_more_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST", 2)
    events = [
        {"name": "seen", "occurred_at": f"2026-01-0{n}T00:00:00+00:00", "properties": {"n": n}} for n in range(1, 6)
    ]
    (group,) = reading.groups({"events": events}, Wordings({}))
    assert [line.details[0].value for line in group.lines] == ["5", "4"]
    assert (group.left_out, group.facts[0].value[:7]) == (3, "5 times")


def test_TK06_only_a_fresh_link_opens_it(ada: Profile, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: now)
    for made, status in ((now, 200), (now - timedelta(days=2), 403)):
        path = urlsplit(links.preferences_url(ada, made)).path
        assert Client().get(f"{path}everything/").status_code == status
    path = urlsplit(links.less_url(ada, now)).path
    assert Client().get(f"{path}everything/").status_code == 404


# ── Nothing is forgotten ─────────────────────────────────────────────────────────────────────────────────────────────
# Where what is kept of a person stands in their export, or why it does not. A new model is decided on here.
DECIDED = {
    "profiles.identifier": "known_as",
    "profiles.event": "events",
    "profiles.eventday": "Counts of the events.",
    "profiles.pulse": "A queue.",
    "profiles.identityconflict": "Speaks of two people.",
    "consent.consentstate": "consent",
    "consent.subject": "The ledger's reference, which names nobody.",
    "consent.optin": "consent",
    "consent.limit": "consent",
    "consent.privacyrequest": "consent",
    "consent.refusedupgrade": "consent",
    "consent.preference": "consent",
    "segments.membership": "segments",
    "segments.membershipchange": "segment_history",
    "segments.watch": "When time next matters.",
    "segments.late": "A queue.",
    "messaging.message": "messages",
    "messaging.pushsubscription": "browsers",
    "messaging.inboxpace": "A counter.",
    "messaging.exposure": "holdouts",
    "messaging.recipient": "A queue of broadcasts; what came of it is a message.",
    "journeys.enrollment": "journeys",
    "journeys.queuedentry": "A queue.",
    "journeys.refusal": "journeys_not_entered",
    "journeys.task": "tasks",
    "journeys.assignment": "Which arm of a split: told by the steps of the journey.",
    "journeys.appointment": "When time next matters.",
    "consent.privacystep": "The log of what staff did with a request, which the request tells.",
    "messaging.link": "Where the links of a message led, which its text shows.",
    "messaging.hit": "events",
    "messaging.opening": "events",
    "messaging.inboxmessage": "messages",
    "messaging.report": "What providers said of a message; its state tells it.",
    "journeys.transition": "journeys",
    "journeys.call": "What a step told another system, made of what stands here; the steps tell of it.",
}


def _of_people() -> set[str]:
    """What speaks of a person, or of something that does: a hit of a link of a message of theirs."""
    ours = [model for app in roles.APPS for model in apps.get_app_config(app).get_models()]
    found: set[Any] = {Profile}
    while more := {model for model in ours if model not in found and _speaks_of(model, found)}:
        found |= more
    return {model._meta.label_lower for model in found - {Profile}}


def _speaks_of(model: Any, people: set[Any]) -> bool:
    return any(
        field.name in ("profile", "profile_id") or field.related_model in people
        for field in model._meta.concrete_fields
    )


def test_CO07_of_everything_that_is_kept_of_a_person_it_was_decided_whether_they_get_it() -> None:
    chapters = schema()["properties"].keys()
    assert _of_people() == DECIDED.keys()
    assert all(where in chapters or where.endswith(".") for where in DECIDED.values())


def test_CO07_what_somebody_answered_and_wrote_to_us_is_theirs_to_take_along(
    shopper: Profile, now: datetime, settings: Any
) -> None:
    message = Message.objects.filter(profile=shopper).first()
    assert message is not None
    question = {"kind": "feedback", "question": "How was it?"}
    feedback.give(message, question, score="4", comment="Quick, and <friendly>.", now=now)
    Reply.objects.create(digest="x", channel="email", sender="eve@example.com", said="Who are you?", received_at=now)
    document = everything.gather(shopper, now)
    Draft202012Validator(schema(), format_checker=FormatChecker()).validate(document)
    given = [one["properties"] for one in document["events"] if one["name"] == "$feedback_given"]
    assert [(one["score"], one["comment"], one["question"]) for one in given] == [
        (4, "Quick, and <friendly>.", "How was it?")
    ]
    assert [one["said"] for one in document["consent"]["replies"]] == ["Who are you?"]
    html = page(shopper, now)
    for said in ("Feedback given", "Quick, and &lt;friendly&gt;.", "How was it?", "Who are you?"):
        assert said in html, said
