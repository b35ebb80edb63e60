"""The channel `in_app`: who may ask for an inbox, what lies in it, and what comes back of it."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from consent import ledger
from consent.ledger import Choice
from consent.models import Topic
from messaging import wiring
from messaging.inapp import identity, inbox, nodes
from messaging.models import InboxMessage, Message, MessageState
from profiles import erasing, merging
from profiles.models import Event, Profile
from tests.messaging import by_channel

SITE = "https://app.example.com"
BLOCKS: list[dict[str, Any]] = [
    {"kind": "heading", "text": "Exports are here"},
    {"kind": "text", "text": "Hi {{ profile.first_name }}, **try** [it](https://example.com/x?u=1)."},
    {"kind": "button", "text": "Export", "href": "https://example.com/export"},
]


@pytest.fixture(autouse=True)
def site(db: None, now: datetime) -> None:
    wiring.save("in_app", {"origins": f"{SITE}\nhttps://other.example.com"}, now=now)


@pytest.fixture(autouse=True)
def _clock(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Doors that ask for the time get that of the test."""
    monkeypatch.setattr("foundation.clock.now", lambda: now)


def token(user: str, expires: int = 0, key: str = "") -> str:
    return identity.token(user, identity.sign(key or wiring.made("in_app", "key"), user, expires), expires)


def ask(client: Client, path: str, user: str = "ada", *, given: str = "", origin: str = SITE, **options: Any) -> Any:
    headers = {"Authorization": f"Bearer {given or token(user)}", **({"Origin": origin} if origin else {})}
    method = options.pop("method", "get")
    return getattr(client, method)(f"/in-app/v1/{path}", headers=headers, **options)


def act(client: Client, message: Message, what: str, user: str = "ada", **body: Any) -> Any:
    data = json.dumps(body)
    return ask(client, f"messages/{message.id}/{what}/", user, method="post", data=data, content_type="text/plain")


@pytest.fixture
def message(ada: Profile, now: datetime) -> Message:
    return by_channel.said(ada, "in_app", now, subject="News", blocks=BLOCKS, options={"look": "banner"})


def told(profile: Profile) -> list[str]:
    rows = Event.objects.filter(profile=profile, type__name__startswith="$message_").order_by(
        "occurred_at", "type__name"
    )
    return [row.type.name for row in rows.select_related("type")]


# ── What lies in it ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_message_lies_in_the_inbox_of_whoever_it_is_for(message: Message, client: Client, ben: Profile) -> None:
    assert message.state == MessageState.SENT
    answer = ask(client, "messages/")
    assert answer.status_code == 200
    assert answer["Access-Control-Allow-Origin"] == SITE
    said = answer.json()
    assert said["unread"] == 1
    (shown,) = said["messages"]
    assert (shown["id"], shown["title"], shown["look"], shown["read"]) == (str(message.id), "News", "banner", False)
    assert shown["content"] == [
        ["h2", {}, ["Exports are here"]],
        [
            "p",
            {},
            ["Hi Ada, ", ["strong", {}, ["try"]], " ", ["a", {"href": "https://example.com/x?u=1"}, ["it"]], "."],
        ],
        ["p", {}, [["a", {"href": "https://example.com/export", "class": "button"}, ["Export"]]]],
    ]
    assert said["brand"] == {"name": "Cairn", "colour": "#0f766e", "ink": "#ffffff"}
    assert ask(client, "messages/", "ben").json()["messages"] == []
    assert ask(client, "unread/", "nobody-yet").json() == {"unread": 0}


def test_links_of_an_inbox_lead_straight_since_it_tells_of_clicks_itself(ada: Profile, now: datetime) -> None:
    Topic.objects.create(slug="tracking", name="Tracking", description="", purpose="", channels=["in_app"])
    choice = Choice(profile_id=ada.id, topic="tracking", channel="in_app", state="granted", source="page")
    ledger.record([choice], now=now)
    message = by_channel.said(ada, "in_app", now, subject="News", blocks=BLOCKS)
    assert 'href="https://example.com/export"' in message.html
    assert not message.links.exists()


def test_the_inbox_speaks_the_language_of_its_reader(ada: Profile, client: Client) -> None:
    Profile.objects.filter(id=ada.id).update(locale="fr-CA")
    said = ask(client, "messages/").json()
    assert (said["language"], said["words"]["close"]) == ("fr", "Fermer")


def test_what_is_over_or_dismissed_lies_there_no_more(
    message: Message, client: Client, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert act(client, message, "dismissed").json() == {"unread": 0}
    assert ask(client, "messages/").json()["messages"] == []
    InboxMessage.objects.update(dismissed_at=None)
    assert ask(client, "unread/").json() == {"unread": 1}
    monkeypatch.setattr("foundation.clock.now", lambda: now + timedelta(days=30))
    assert ask(client, "unread/").json() == {"unread": 0}
    assert act(client, message, "read").status_code == 404


def test_a_message_is_put_there_once_however_often_it_is_tried(message: Message, now: datetime) -> None:
    for _ in range(2):
        assert inbox.place(message.id, look="inbox", until=now + timedelta(days=1), now=now)
    assert InboxMessage.objects.get().look == "banner"


# ── What comes back ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_what_its_reader_does_comes_back_as_events_once(message: Message, client: Client, ada: Profile) -> None:
    for what, state in (("seen", "delivered"), ("read", "opened"), ("clicked", "clicked"), ("seen", "clicked")):
        answer = act(client, message, what, link="https://example.com/x?u=1")
        assert answer.status_code == 200
        message.refresh_from_db()
        assert message.state == state
    act(client, message, "clicked", link="https://example.com/x?u=1")
    assert sorted(told(ada)) == ["$message_clicked", "$message_delivered", "$message_opened", "$message_sent"]
    clicked = Event.objects.get(type__name="$message_clicked")
    assert clicked.properties["url"] == "https://example.com/x"
    assert (clicked.properties["channel"], clicked.properties["template"]) == ("in_app", "done-by-in-app")


def test_a_click_says_that_it_was_read(message: Message, client: Client, ada: Profile) -> None:
    half = "https://example.com/\ud83d"
    assert act(client, message, "clicked", link=half).json() == {"unread": 0}
    assert set(told(ada)) == {"$message_sent", "$message_delivered", "$message_opened", "$message_clicked"}


def test_everything_can_be_read_at_once(message: Message, client: Client, ada: Profile, now: datetime) -> None:
    by_channel.said(ada, "in_app", now, subject="More", slug="more")
    assert ask(client, "unread/").json() == {"unread": 2}
    answer = ask(client, "messages/read/", method="post", data="", content_type="text/plain")
    assert answer.json() == {"unread": 0}
    assert told(ada).count("$message_opened") == 2


def test_another_cannot_act_on_it(message: Message, client: Client, ben: Profile) -> None:
    for what in inbox.ACTS:
        assert act(client, message, what, "ben").status_code == 404
    message.refresh_from_db()
    assert message.state == MessageState.SENT


# ── Who may ask ──────────────────────────────────────────────────────────────────────────────────────────────────────
def test_nobody_asks_for_an_inbox_but_whom_the_server_signed_for(
    message: Message, client: Client, now: datetime
) -> None:
    key, over = wiring.made("in_app", "key"), int(now.timestamp())
    good = token("ada", over + 60)
    assert ask(client, "messages/", given=good).status_code == 200
    user, expires, signature = good.split(".")
    bad = [
        "x",
        "..",
        token("ada", key="another key"),
        token("ada", over),
        f"{user}.{int(expires) + 1}.{signature}",
        f"{token('ben').partition('.')[0]}.{expires}.{signature}",
        f"{user}.-1.{signature}",
        f"{user}.٣.{signature}",
        f"!.0.{identity.sign(key, 'ada')}",
        f"{user}.{expires}.ä",
        identity.token("ada\0", identity.sign(key, "ada\0")),
    ]
    for one in bad:
        answer = ask(client, "messages/", given=one.encode().decode("latin-1"))
        assert answer.status_code == 401, one
        assert "messages" not in answer.json()


def test_a_signature_with_an_end_cannot_be_read_as_one_without(db: None) -> None:
    key = wiring.made("in_app", "key")
    assert identity.sign(key, "1.ada") != identity.sign(key, "ada", 1)
    assert identity.sign(key, "ada") != identity.sign(key, "0.ada")


def test_the_key_can_be_made_anew_and_the_old_one_counts_for_a_day(client: Client, ada: Profile, now: datetime) -> None:
    old = wiring.made("in_app", "key")
    wiring.renew("in_app", "key", now=now)
    assert ask(client, "unread/", given=token("ada", key=old)).status_code == 200
    assert identity.read(token("ada", key=old), now=now + timedelta(days=1)) is None


def test_only_sites_that_were_named_may_ask(message: Message, client: Client) -> None:
    for origin in ("https://evil.example.com", "http://app.example.com", "null", f"{SITE}.evil.example"):
        answer = ask(client, "messages/", origin=origin)
        assert answer.status_code == 403
        assert not answer.has_header("Access-Control-Allow-Origin")
    assert ask(client, "messages/", origin="").status_code == 200  # a server asks, with no page around it
    preflight = client.options("/in-app/v1/messages/", headers={"Origin": SITE})
    assert (preflight.status_code, preflight["Access-Control-Allow-Origin"]) == (204, SITE)
    assert "Authorization" in preflight["Access-Control-Allow-Headers"]
    assert ask(client, "messages/", method="post").status_code == 405


def test_who_asks_too_often_is_told_when_to_come_back(
    message: Message, client: Client, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "MOST_A_MINUTE", 3)
    assert [ask(client, "unread/").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert ask(client, "unread/")["Retry-After"] == "60"
    monkeypatch.setattr("foundation.clock.now", lambda: now + timedelta(minutes=1))
    assert ask(client, "unread/").status_code == 200


@pytest.mark.parametrize("body", ["[", "[]", '"x"', '{"link": 7}', '{"link": "\\u0000"}', "{" * 30_000])
def test_what_is_no_answer_is_refused_with_a_sentence(body: str, message: Message, client: Client) -> None:
    path = f"messages/{message.id}/clicked/"
    answer = ask(client, path, method="post", data=body, content_type="text/plain")
    assert answer.status_code in (400, 413)
    assert answer.json()["error"].endswith(".")


# ── People who merge, and who leave ──────────────────────────────────────────────────────────────────────────────────
def test_an_inbox_follows_whom_somebody_became(
    message: Message, client: Client, ada: Profile, ben: Profile, now: datetime
) -> None:
    merging.merge([merging.Pair(ben.id, ada.id)], reason="The same person.", now=now)
    assert [one["id"] for one in ask(client, "messages/", "ben").json()["messages"]] == [str(message.id)]
    assert [one["id"] for one in ask(client, "messages/", "ada").json()["messages"]] == [str(message.id)]


def test_who_is_erased_has_no_inbox(message: Message, client: Client, ada: Profile, now: datetime) -> None:
    erasing.erase(ada, now=now)
    assert not InboxMessage.objects.exists()
    assert ask(client, "messages/").json()["messages"] == []
    assert not inbox.place(message.id, look="inbox", until=now, now=now)


# ── Safe by construction ─────────────────────────────────────────────────────────────────────────────────────────────
HOSTILE = [
    "<script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    '<a href="javascript:alert(1)">x</a>',
    '<a href="JaVaScRiPt&#58;alert(1)">x</a>',
    '<a href="java\tscript:alert(1)">x</a>',
    "<svg/onload=alert(1)>",
    "<iframe src=//evil.example></iframe>",
    '<p style="position:fixed" onclick="alert(1)">x</p>',
    "<math><mtext><style><img src=x onerror=alert(1)></style></mtext></math>",
    '<a href="data:text/html,<script>alert(1)</script>">x</a>',
    "<template><p>x</p></template>",
    "<form action=//evil.example><input name=x></form>",
]


def flat(tree: list[Any]) -> list[list[Any]]:
    """Every element in the tree."""
    found = [one for one in tree if isinstance(one, list)]
    return found + [inner for one in found for inner in flat(one[2])]


@pytest.mark.parametrize("html", HOSTILE)
def test_xs_03_nothing_but_what_is_allowed_comes_out_of_html(html: str) -> None:
    for tag, attributes, _ in flat(nodes.of(f"<p>{html}</p>")):
        assert tag in nodes.TAGS
        assert set(attributes) <= {"href", "class", "src", "alt"}
        assert all(not value.lower().startswith(("javascript", "data")) for value in attributes.values())
    assert "alert" not in json.dumps([one for one in nodes.of(html) if isinstance(one, str)])


@given(st.text(alphabet="<>/=\"' abhrefsciptonkl&#;:p123", max_size=120))
def test_xs_03_whatever_is_written_only_allowed_elements_come_out(html: str) -> None:
    for tag, attributes, children in flat(nodes.of(html)):
        assert tag in nodes.TAGS
        assert isinstance(children, list)
        assert set(attributes) <= {"href", "class", "src", "alt"}


def test_xs_03_a_value_of_the_person_is_text_and_stays_so(
    person: Callable[..., Profile], client: Client, now: datetime
) -> None:
    eve = person("eve", first_name='<img src=x onerror="alert(1)">')
    blocks = [{"kind": "text", "text": "Hi {{ profile.first_name }}"}]
    message = by_channel.said(eve, "in_app", now, subject="{{ profile.first_name }}", blocks=blocks)
    (shown,) = ask(client, "messages/", "eve").json()["messages"]
    assert shown["content"] == [["p", {}, ['Hi <img src=x onerror="alert(1)">']]]
    assert shown["title"] == message.subject == eve.first_name


def test_the_script_is_small_and_comes_from_an_address_that_stays(client: Client) -> None:
    answer = client.get("/in-app/cairn.js")
    assert answer["Content-Type"].startswith("text/javascript")
    assert len(answer.content) < 12_000
    assert b"innerHTML" not in answer.content
    assert answer["Cross-Origin-Resource-Policy"] == "cross-origin"
    again = client.get("/in-app/cairn.js", headers={"If-None-Match": answer["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert b"showNotification" in client.get("/in-app/push-worker.js").content
