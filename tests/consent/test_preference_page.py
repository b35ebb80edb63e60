"""The preference page: no login, no script, and nothing that is not the person's own."""

import ast
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.contrib.staticfiles import finders
from django.db import OperationalError, transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consent import links, preferences, states, tokens
from consent.ledger import Outcome
from consent.models import ConsentEvidence, ConsentRecord, Preference, Suppression, Topic, Wording
from consent.suppression import add as suppress
from foundation import clock, registry
from foundation.errors import Invalid
from profiles.models import Profile

Decide = Callable[..., Outcome]


@pytest.fixture
def client() -> Client:
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, now: datetime) -> Callable[[datetime], None]:
    """Sets what time it is; at first the moment at which the test plays."""

    def at(moment: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment)

    at(now)
    return at


def address(profile: Profile, made: datetime | None = None) -> str:
    return urlsplit(links.preferences_url(profile, made)).path


def state_of(profile: Profile, topic: str = "news", channel: str = "email") -> str | None:
    found = states.of([profile.id], topic, channel).get(profile.id)
    return found.state if found else None


def hidden(response: Any, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', response.content.decode())
    assert found, f"the page has no {name}"
    return found[1]


def text(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", response.content.decode()))


def press(client: Client, profile: Profile, do: str = "save", made: datetime | None = None, **fields: Any) -> Any:
    path = address(profile, made)
    seen = fields.pop("seen", None) or hidden(client.get(path), "seen")
    return client.post(path, {"do": do, "seen": seen, **{k.replace("__", "."): v for k, v in fields.items()}})


# ── What it shows ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_CO02_for_somebody_new_nothing_is_ticked_and_saving_that_agrees_to_nothing(
    client: Client, ada: Profile, news: Topic, tips: Topic, at: Any
) -> None:
    Topic.objects.update(default=True)
    html = client.get(address(ada)).content.decode()
    assert html.count('type="radio"') == 6
    assert " checked" not in html
    press(client, ada)
    assert not ConsentRecord.objects.exists()


def test_PP01_each_choice_is_shown_with_since_when_and_how(
    client: Client, ada: Profile, news: Topic, tips: Topic, decide: Decide, at: Any, now: datetime
) -> None:
    decide(ada, "news", "granted", now=now - timedelta(days=40))
    decide(ada, "news", "denied", "sms", source=ConsentRecord.Source.ONE_CLICK, now=now - timedelta(days=2))
    response = client.get(address(ada))
    told = text(response)
    for said in (
        "Product news",
        "What is new, about once a month.",
        "So that you can use what you pay for.",
        "You said yes here on Oct. 15, 2026.",
        "You unsubscribed in your mail program on Nov. 22, 2026.",
        "You get this until you say no.",
    ):
        assert said in told
    html = response.content.decode()
    assert re.search(r'name="news.email" value="granted" checked', html)
    assert re.search(r'name="news.sms" value="denied" checked', html)


def test_what_is_always_sent_is_told_and_not_asked(client: Client, ada: Profile, receipts: Topic, at: Any) -> None:
    response = client.get(address(ada))
    assert "Your invoices." in text(response)
    assert "receipts.email" not in response.content.decode()


def test_archived_topics_are_gone(client: Client, ada: Profile, news: Topic, at: Any) -> None:
    Topic.objects.update(archived=True)
    assert "Product news" not in text(client.get(address(ada)))


@pytest.mark.parametrize("reason", Suppression.Reason.values)
def test_who_is_not_written_to_is_told_why(client: Client, ada: Profile, at: Any, now: datetime, reason: str) -> None:
    suppress("email", "ada@example.com", reason, now, Suppression.Scope.ALL)
    assert "notice warn" in client.get(address(ada)).content.decode()


def test_PP05_data_is_shown_masked_except_by_a_fresh_link(
    client: Client, ada: Profile, at: Callable[[datetime], None], now: datetime
) -> None:
    fresh = client.get(address(ada, now)).content.decode()
    assert "ada@example.com" in fresh
    assert ">Ada<" in fresh
    assert "Plan: pro" in fresh
    at(now + timedelta(days=1, seconds=1))
    old = client.get(address(ada, now)).content.decode()
    assert "a***@e***.com" in old
    assert "ada@example.com" not in old
    assert ">Ada<" not in old
    assert "Plan: pro" not in old


def test_parts_of_the_apps_above_are_shown(client: Client, ada: Profile, at: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(
        registry, "panels", type("Panels", (), {"ask": lambda self, p, place: [[f"<p>{place}!</p>"]]})()
    )
    html = client.get(address(ada)).content.decode()
    assert "<p>messages!</p>" in html
    assert "<p>data!</p>" in html


def test_PP22_the_page_is_small(
    client: Client, ada: Profile, news: Topic, tips: Topic, receipts: Topic, at: Any
) -> None:
    css = Path(str(finders.find("consent/pages.css")))
    page = client.get(address(ada)).content
    assert len(page) + css.stat().st_size < 50_000
    assert b"<script" not in page
    ours = rb"/static/|data/|everything/|erase/|receipts/|mailto:|https://www\.edpb\."
    assert not re.search(rb'(src|href)="(?!' + ours + rb")", page)


# ── What can be chosen ───────────────────────────────────────────────────────────────────────────────────────────────


def test_choices_are_saved_with_the_words_that_were_shown(client: Client, ada: Profile, news: Topic, at: Any) -> None:
    response = press(client, ada, news__email="granted", news__sms="denied")
    assert (state_of(ada), state_of(ada, "news", "sms")) == ("granted", "denied")
    row = ConsentRecord.objects.get(channel="email")
    assert (row.source, row.actor, row.locale) == ("page", "customer", "en")
    shown = Wording.objects.get(digest=row.wording).text
    for part in shown.removeprefix("Product news (Email): Yes.").split(". "):
        assert part.strip(". ") in text(response)
    assert ConsentEvidence.objects.get(record=row.id).data == {"page": "preferences", "control": "Save"}


def test_saving_what_stands_already_writes_nothing(
    client: Client, ada: Profile, news: Topic, decide: Decide, at: Any
) -> None:
    decide(ada, "news", "granted", source=ConsentRecord.Source.IMPORT)
    assert "Nothing was changed." in text(press(client, ada, news__email="granted", intensity="normal", language=""))
    assert ConsentRecord.objects.count() == 1
    assert not Preference.objects.exists()


def test_PP06_what_changed_is_told_and_can_be_taken_back(
    client: Client, ada: Profile, news: Topic, decide: Decide, at: Any, now: datetime
) -> None:
    decide(ada, "news", "granted", now=now - timedelta(days=1))
    Preference.objects.create(profile=ada, hours_from=time(9), hours_to=time(17))
    response = press(client, ada, news__email="denied", intensity="less", hours_from="", hours_to="")
    status = re.search(r'<div role="status".*?</div>', response.content.decode(), re.S)
    assert status
    for said in ("Product news (Email): No", "Less often", "Your hours", "Undo"):
        assert said in re.sub(r"<[^>]+>", "", status[0])
    fields = dict(re.findall(r'name="((?:undo|was_)\w*)" value="([^"]*)"', status[0]))
    client.post(address(ada), {"do": "undo", **fields})
    wish = Preference.objects.get()
    assert (wish.intensity, wish.hours_from, wish.hours_to) == ("normal", time(9), time(17))
    assert state_of(ada) == "granted"
    row = ConsentRecord.objects.latest("seq")
    assert (row.seq, row.state) == (3, "granted")
    assert ConsentEvidence.objects.get(record=row.id).data["control"] == "Undo"


def test_PP06_all_is_saved_or_nothing(
    client: Client, ada: Profile, news: Topic, tips: Topic, at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise OperationalError("the connection was lost")

    monkeypatch.setattr(preferences, "save", fails)
    response = press(client, ada, news__email="granted", tips__email="denied", intensity="less")
    assert response.status_code == 503
    assert 'role="alert"' in response.content.decode()
    assert not ConsentRecord.objects.exists()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"hours_from": "9"}, "Write the hours as in 09:00."),
        ({"hours_from": "09:00"}, "Hours need a beginning and an end"),
        ({"hours_from": "09:00", "hours_to": "09:00"}, "must not begin and end at the same time"),
        ({"pause": "date", "until": "soon"}, "Write the day as in 2027-01-31."),
        ({"pause": "date", "until": "2026-11-24"}, "A pause must end after today."),
        ({"pause": "date", "until": "2028-01-01"}, "A pause can be a year at most."),
        ({"pause": "date", "until": "9999-12-31"}, "A pause can be a year at most."),
        ({"pause": "date"}, "Choose how long"),
        ({"pause": "aeon"}, "Choose how long"),
        ({"intensity": "loud"}, "Choose less, normal or more."),
        ({"time_zone": "Moon/Crater"}, "not known"),
        ({"language": "tlh"}, "not known"),
    ],
)
def test_what_cannot_be_saved_is_said_and_nothing_is(
    client: Client, ada: Profile, news: Topic, at: Any, fields: dict[str, str], said: str
) -> None:
    usual: dict[str, Any] = {"hours_from": "", "hours_to": "", "news__email": "granted"}
    response = press(client, ada, **(usual | fields))
    assert response.status_code == 422
    alert = re.search(r'<div role="alert".*?</div>', response.content.decode(), re.S)
    assert alert
    assert said in alert[0]
    assert 'name="news.email" value="granted" checked' in response.content.decode()  # nothing is lost of what was sent
    assert not ConsentRecord.objects.exists()
    assert not Preference.objects.exists()


@given(
    fields=st.dictionaries(
        st.sampled_from(
            [
                *("news.email", "seen", "do", "undo", "intensity", "pause", "until", "hours_from", "hours_to"),
                *("time_zone", "language", "was_intensity", "was_paused_until", "was_hours_from", "was_language"),
            ]
        ),
        st.one_of(
            st.text(max_size=40),
            st.sampled_from(["save", "undo", "stop", "resume", "link", "date", "granted", "0001-01-01", "24:00", "\0"]),
        ),
    )
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_posted_gets_an_answer(database: None, fields: dict[str, str]) -> None:
    with transaction.atomic():
        moment = datetime(2026, 11, 24, tzinfo=UTC)
        profile = Profile.objects.create(external_id=str(uuid4()), first_seen_at=moment, last_seen_at=moment)
        Topic.objects.get_or_create(slug="news", defaults={"name": "News", "channels": ["email"]})
        sent = {name: value.encode("utf-8", "replace").decode() for name, value in fields.items()}
        response = Client().post(address(profile), sent)
        assert response.status_code in (200, 404, 422)
        transaction.set_rollback(True)


# ── PP-07 ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_PP07_a_yes_of_a_page_older_than_a_no_changes_nothing_until_it_is_said_again(
    client: Client, ada: Profile, news: Topic, decide: Decide, at: Any
) -> None:
    decide(ada, "news", "granted")
    old = hidden(client.get(address(ada)), "seen")
    press(client, ada, news__email="denied")
    response = press(client, ada, seen=old, news__email="granted")
    assert state_of(ada) == "denied"
    assert "You have said no to this since the page was opened" in text(response)
    press(client, ada, seen=hidden(response, "seen"), news__email="granted")
    assert state_of(ada) == "granted"


def test_PP07_a_no_of_an_old_page_counts(client: Client, ada: Profile, news: Topic, decide: Decide, at: Any) -> None:
    decide(ada, "news", "granted")
    old = hidden(client.get(address(ada)), "seen")
    press(client, ada, intensity="less", news__sms="granted")
    press(client, ada, seen=old, news__email="denied")
    assert (state_of(ada), state_of(ada, "news", "sms")) == ("denied", "granted")


def test_PP07_a_page_older_than_stopping_everything_brings_nothing_back(
    client: Client, ada: Profile, news: Topic, tips: Topic, decide: Decide, at: Any
) -> None:
    decide(ada, "news", "granted")
    old = hidden(client.get(address(ada)), "seen")
    press(client, ada, "stop")
    press(client, ada, seen=old, news__email="granted", tips__email="granted")
    assert (state_of(ada), state_of(ada, "tips")) == ("denied", "denied")


@pytest.mark.parametrize("seen", ["", "garbage", "a:b", ":999999999999", "x:99999"])
def test_PP07_a_page_of_which_nothing_is_known_counts_as_old(
    client: Client, ada: Profile, news: Topic, decide: Decide, at: Any, seen: str
) -> None:
    decide(ada, "news", "denied")
    client.post(address(ada), {"do": "save", "seen": seen, "news.email": "granted"})
    assert state_of(ada) == "denied"


# ── Stop, pause ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_PP03_everything_stops_in_one_step_and_can_be_taken_back(
    client: Client, ada: Profile, news: Topic, tips: Topic, receipts: Topic, decide: Decide, at: Any
) -> None:
    decide(ada, "news", "granted")
    decide(ada, "news", "granted", "sms")
    response = press(client, ada, "stop")
    assert "Everything is stopped." in text(response)
    assert {state_of(ada), state_of(ada, "news", "sms"), state_of(ada, "tips")} == {"denied"}
    assert state_of(ada, "receipts") is None
    client.post(address(ada), {"do": "undo", "undo": hidden(response, "undo")})
    assert (state_of(ada), state_of(ada, "news", "sms"), state_of(ada, "tips")) == ("granted", "granted", None)


def test_after_everything_was_stopped_one_thing_can_be_wanted_again(
    client: Client, ada: Profile, news: Topic, tips: Topic, at: Any
) -> None:
    press(client, ada, "stop")
    press(client, ada, tips__email="granted")
    assert (state_of(ada), state_of(ada, "tips")) == ("denied", "granted")


def test_a_pause_ends_by_itself_or_when_they_say_so(
    client: Client, ada: Profile, news: Topic, at: Callable[[datetime], None], now: datetime
) -> None:
    response = press(client, ada, pause="month")
    assert "Paused until Dec. 24, 2026" in text(response)
    assert Preference.objects.get().paused_until == datetime(2026, 12, 24, tzinfo=UTC)
    assert not ConsentRecord.objects.exists()  # CO-25: a wish, never a refusal
    press(client, ada, "resume")
    assert Preference.objects.get().paused_until is None
    press(client, ada, pause="week")
    at(now + timedelta(days=8))
    assert "Paused until" not in text(client.get(address(ada)))


@pytest.mark.parametrize(
    ("length", "zone", "begins", "ends"),
    [
        ("week", "UTC", "2026-11-24T10:00+00:00", "2026-12-01T00:00+00:00"),
        ("month", "Europe/Berlin", "2026-03-20T23:30+00:00", "2026-04-20T00:00+02:00"),  # there it is the 21st
        ("quarter", "UTC", "2026-11-30T10:00+00:00", "2027-02-28T00:00+00:00"),
        ("quarter", "America/New_York", "2026-12-15T10:00+00:00", "2027-03-15T00:00-04:00"),  # summer time began
        ("date", "Africa/Cairo", "2026-04-01T10:00+00:00", "2026-04-24T01:00+03:00"),  # there is no midnight that day
    ],
)
def test_PP02_a_pause_ends_at_the_persons_own_midnight(length: str, zone: str, begins: str, ends: str) -> None:
    end = datetime.fromisoformat(ends)
    until = preferences.pause_of(length, ZoneInfo(zone), datetime.fromisoformat(begins), end.date())
    assert until.astimezone(UTC) == end.astimezone(UTC)


def test_a_time_zone_decides_when_hours_and_pauses_are(client: Client, ada: Profile, at: Any) -> None:
    press(client, ada, time_zone="Asia/Tokyo")
    press(client, ada, pause="week", hours_from="22:00", hours_to="06:00")
    wish = preferences.of([ada.id])[ada.id]
    assert wish.paused_until == datetime(2026, 12, 1, tzinfo=ZoneInfo("Asia/Tokyo"))
    assert (wish.hours_from, wish.hours_to) == (time(22), time(6))


def test_a_wish_that_is_not_named_stays(ada: Profile, now: datetime) -> None:
    preferences.save(ada.id, now=now, intensity="less")
    preferences.save(ada.id, now=now, language="de")
    wish = preferences.of([ada.id])[ada.id]
    assert (wish.intensity, wish.language) == ("less", "de")
    with pytest.raises(Invalid):
        preferences.save(ada.id, now=now, intensity="loud")
    with pytest.raises(TypeError, match="no wish"):
        preferences.save(ada.id, now=now, token_epoch=7)


# ── Tokens and the way in ────────────────────────────────────────────────────────────────────────────────────────────


def test_TK04_a_link_works_for_90_days_and_then_says_how_to_get_a_new_one(
    client: Client, ada: Profile, news: Topic, at: Callable[[datetime], None], now: datetime
) -> None:
    path = address(ada, now)
    at(now + timedelta(days=90))
    assert client.get(path).status_code == 200
    at(now + timedelta(days=90, seconds=1))
    response = client.get(path)
    assert response.status_code == 410
    assert "This link is too old" in text(response)
    assert "ada" not in response.content.decode().lower()
    client.post(path, {"do": "stop"})
    assert not ConsentRecord.objects.exists()


def test_TK05_raising_the_epoch_makes_earlier_links_useless(client: Client, ada: Profile, at: Any) -> None:
    path = address(ada)
    Preference.objects.create(profile=ada, token_epoch=1)
    response = client.get(path)
    assert response.status_code == 410
    assert "a***" not in response.content.decode()
    assert client.get(address(ada)).status_code == 200


@pytest.mark.parametrize(
    ("age", "fresh"), [(timedelta(0), True), (timedelta(days=1), True), (timedelta(days=1, seconds=1), False)]
)
@pytest.mark.parametrize("act", ["no", "stop", "pause", "less", "yes", "download", "erase"])
def test_TK06_an_older_link_can_say_less_and_a_fresh_one_can_do_all(
    client: Client,
    ada: Profile,
    news: Topic,
    decide: Decide,
    at: Callable[[datetime], None],
    now: datetime,
    age: timedelta,
    fresh: bool,
    act: str,
) -> None:
    decide(ada, "news", "granted")
    at(now + age)
    match act:
        case "no":
            press(client, ada, made=now, news__email="denied")
            assert state_of(ada) == "denied"
        case "stop":
            press(client, ada, "stop", made=now)
            assert state_of(ada) == "denied"
        case "pause":
            press(client, ada, made=now, pause="week")
            assert Preference.objects.get().paused_until
        case "less":
            press(client, ada, made=now, intensity="less")
            assert Preference.objects.get().intensity == "less"
        case "yes":
            response = press(client, ada, made=now, news__sms="granted")
            assert (state_of(ada, "news", "sms") == "granted") == fresh
            assert ("This was not turned on" in text(response)) != fresh
        case "download":
            response = client.get(address(ada, now) + "data/")
            assert response.status_code == (200 if fresh else 403)
            assert ("ada@example.com" in response.content.decode()) == fresh
        case "erase":
            assert client.get(address(ada, now) + "erase/").status_code == (200 if fresh else 403)
            client.post(address(ada, now) + "erase/", {"do": "erase"})
            assert Profile.objects.filter(id=ada.id).exists() != fresh


HEADERS = {
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store, private",
    "X-Robots-Tag": "noindex, nofollow",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
}


@pytest.mark.parametrize("method", ["get", "post", "head", "put", "options"])
@pytest.mark.parametrize("which", ["preferences", "data", "erase", "unsubscribe", "garbage", "old", "inert"])
def test_TK07_every_answer_keeps_the_token_to_itself(
    client: Client, ada: Profile, news: Topic, at: Any, now: datetime, method: str, which: str
) -> None:
    paths = {
        "preferences": address(ada),
        "data": address(ada) + "data/",
        "erase": address(ada) + "erase/",
        "unsubscribe": urlsplit(links.unsubscribe_url(ada, "news", "email", None)).path,
        "garbage": "/preferences/garbage/",
        "old": address(ada, now - timedelta(days=365)),
        "inert": urlsplit(links.inert_urls("news", "email")["preferences"]).path,
    }
    response = getattr(client, method)(paths[which])
    assert {name: response.headers.get(name) for name in HEADERS} == HEADERS
    assert "Set-Cookie" not in response.headers
    assert not response.cookies
    assert "Location" not in response.headers


def test_TK07_so_does_an_error_of_ours_and_no_log_has_the_token(
    client: Client, ada: Profile, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError("boom")

    path = address(ada)
    for error, status in ((RuntimeError("boom"), 500), (OperationalError("gone"), 503)):
        monkeypatch.setattr("consent.visits.by", lambda *_, error=error: (_ for _ in ()).throw(error))
        response = client.get(path)
        assert response.status_code == status
        assert response.headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]
    client.get("/preferences/" + "x" * 40 + "/")
    assert caplog.records
    for token in (path.split("/")[2], "x" * 40):
        assert not any(token[i : i + 8] in caplog.text for i in range(0, len(token) - 8, 8))


def test_TK08_pages_without_csrf_protection_read_no_session_and_no_user() -> None:
    root = Path(__file__).parent.parent.parent
    exempt = [
        path
        for path in root.glob("*/**/*.py")
        if not {".venv", "tests", "var"} & set(path.parts) and "csrf_exempt" in path.read_text()
    ]
    assert {path.relative_to(root).as_posix() for path in exempt} >= {"consent/public.py"}
    for path in [*root.glob("consent/*.py")]:
        if path.name.startswith("api"):
            continue
        read = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
        assert not {"session", "user", "COOKIES"} & read, path


def test_AZ02_a_link_that_is_not_ours_tells_nothing(client: Client, ada: Profile, now: datetime) -> None:
    garbage = client.get("/preferences/garbage/")
    assert garbage.status_code == 404
    token = address(ada).split("/")[2]
    nobody = tokens.make("preferences", profile=uuid4(), epoch=0, at=clock.now())
    for path in (
        *(f"/preferences/{other}/" for other in (token[:-1], token + "A", nobody, "v1.x.y.z", "é", str(ada.id))),
        f"/preferences/{nobody}/data/",
        f"/preferences/{nobody}/erase/",
        f"/unsubscribe/{token}/",
    ):
        for response in (client.get(path), client.post(path, {"do": "stop", "profile": str(ada.id)})):
            if response.status_code != 405:
                assert (response.status_code, response.content) == (404, garbage.content)
                assert response.headers == garbage.headers


def test_AZ02_ids_of_others_in_a_form_are_not_read(
    client: Client, ada: Profile, ben: Profile, news: Topic, decide: Decide, at: Any
) -> None:
    decide(ben, "news", "granted")
    client.post(address(ada), {"do": "stop", "profile": str(ben.id), "external_id": "ben", "undo": str(ben.id)})
    assert state_of(ben) == "granted"


# ── Data ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_CO07_everything_can_be_downloaded(client: Client, ada: Profile, news: Topic, decide: Decide, at: Any) -> None:
    decide(ada, "news", "granted")
    response = client.get(address(ada) + "data/")
    assert response.headers["Content-Type"] == "application/json"
    assert "attachment" in response.headers["Content-Disposition"]
    data = json.loads(response.content)
    assert data["format"] == "cairn.person/1"
    assert data["consent"]["choices"][0]["state"] == "granted"


def test_erasing_asks_once_and_then_nothing_is_left(
    client: Client, ada: Profile, news: Topic, decide: Decide, at: Any
) -> None:
    decide(ada, "news", "granted")
    path = address(ada)
    assert "Erase your data?" in text(client.get(path + "erase/"))
    client.post(path + "erase/")
    assert Profile.objects.filter(id=ada.id).exists()
    assert "Your data is erased" in text(client.post(path + "erase/", {"do": "erase"}))
    assert not Profile.objects.filter(id=ada.id).exists()
    assert ConsentRecord.objects.count() == 1
    assert client.get(path).status_code == 404


def test_a_new_link_is_offered_only_where_somebody_sends_it(
    client: Client, ada: Profile, news: Topic, at: Any, now: datetime, monkeypatch: Any
) -> None:
    mailed: list[Profile] = []
    question: Any = registry.Question("mail_link")
    monkeypatch.setattr(registry, "mail_link", question)
    old = now - timedelta(days=3)
    assert "Send me a new link" not in text(client.get(address(ada, old)))
    question.join(mailed.append)
    monkeypatch.setattr(registry, "_height", lambda answer: 0)
    assert "Send me a new link" in text(client.get(address(ada, old)))
    press(client, ada, "link", made=old)
    assert mailed == [ada]


# ── Languages ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("chosen", "locale", "accepted", "spoken"),
    [
        ("fr", "de", "es", "fr"),
        ("", "de_CH", "es", "de"),
        ("", None, "es-MX", "es"),
        ("", "tlh", "es", "es"),
        ("", None, "xx", "en"),
    ],
)
def test_PP08_the_page_speaks_the_persons_language(
    client: Client,
    person: Callable[..., Profile],
    at: Any,
    chosen: str,
    locale: str | None,
    accepted: str,
    spoken: str,
) -> None:
    one = person("one", locale=locale)
    Preference.objects.create(profile=one, language=chosen)
    html = client.get(address(one), headers={"accept-language": accepted}).content.decode()
    assert f'<html lang="{spoken}" dir="ltr">' in html
