"""Tracked links: who is tracked, where a link leads, and which clicks are those of people."""

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from consent import tokens
from consent.models import Topic
from foundation import clock
from messaging import agents, clicks, dispatch, tracking
from messaging.models import Hit, Link, Message, Template
from messaging.returns.models import Opening
from profiles import erasing, ingest
from profiles.models import Event, Profile, Pulse
from tests.messaging.conftest import state_of
from tests.messaging.sink import Sink

Write = Callable[..., Template]
Agree = Callable[..., None]
Queue = Callable[..., Message]
SECOND = timedelta(seconds=1)
BLOCKS: list[dict[str, Any]] = [
    {"kind": "text", "text": "See [one](https://example.com/a?b=1&c=2#d) or [mail us](mailto:us@example.com)."},
    {"kind": "button", "text": "Two", "href": "https://example.com/two"},
    {"kind": "button", "text": "Call", "href": "tel:+49301234"},
]


@pytest.fixture
def tracking_topic(db: None) -> Topic:
    return Topic.objects.create(
        slug="tracking", name="Links", description="See which links help.", purpose="To learn.", channels=["email"]
    )


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, now: datetime) -> Callable[[timedelta], datetime]:
    """Lets it be so long after the mail went out, for whoever comes through the door."""

    def move(after: timedelta) -> datetime:
        monkeypatch.setattr(clock, "now", lambda: now + after)
        return now + after

    return move


@pytest.fixture
def send(ada: Profile, write: Write, agree: Agree, queue: Queue, sink: Sink, now: datetime) -> Callable[..., Message]:
    """A message that went to Ada."""

    def make(**fields: Any) -> Message:
        write(blocks=BLOCKS)
        agree(ada)
        message = queue(ada, **fields)
        dispatch.tick(now)
        found = state_of(message.id)
        assert found.state == "sent"
        return found

    return make


@pytest.fixture
def tracked(ada: Profile, tracking_topic: Topic, agree: Agree, send: Any) -> Message:
    agree(ada, topic="tracking")
    found: Message = send()
    return found


def _hrefs(html: str) -> list[str]:
    return [unescape(href) for href in re.findall(r'<a\b[^>]*href="([^"]*)"', html)]


def _path(message: Message, place: int) -> str:
    return tracking.address_of(message.id, place).removeprefix("http://127.0.0.1:8000")


def _told() -> list[dict[str, Any]]:
    return list(Event.objects.filter(type__name="$message_clicked").order_by("id").values_list("properties", flat=True))


# ── Who is tracked ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_co_15_without_a_topic_of_tracking_links_stay_as_they_are(send: Any) -> None:
    assert "https://example.com/two" in _hrefs(send().html)
    assert not Link.objects.exists()


@pytest.mark.parametrize("choice", [None, "denied"])
def test_co_15_who_did_not_agree_to_tracking_gets_untracked_links(
    choice: str | None, ada: Profile, tracking_topic: Topic, agree: Agree, send: Any
) -> None:
    Topic.objects.filter(slug="tracking").update(basis=Topic.Basis.LEGITIMATE_INTEREST)  # a silence is a no even so
    if choice:
        agree(ada, topic="tracking", state=choice)
    assert "https://example.com/two" in _hrefs(send().html)
    assert not Link.objects.exists()


def test_co_15_whoever_refuses_everything_refuses_tracking_too(
    ada: Profile, tracking_topic: Topic, agree: Agree
) -> None:
    agree(ada, topic="tracking")
    assert tracking.agreed([(ada.id, "email"), (ada.id, "sms")]) == {(ada.id, "email")}
    agree(ada, topic="*", state="denied")
    assert tracking.agreed([(ada.id, "email")]) == set()


def test_an_installation_may_track_no_links(
    ada: Profile, tracking_topic: Topic, agree: Agree, send: Any, settings: Any
) -> None:
    settings.TRACK_LINKS = False
    agree(ada, topic="tracking")
    assert "https://example.com/two" in _hrefs(send().html)


# ── What is wrapped ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_tr_01_tr_03_links_carry_a_signed_place_and_ways_out_are_never_wrapped(
    tracked: Message, sink: Sink, client: Client
) -> None:
    hrefs = _hrefs(tracked.html)
    assert [href for href in hrefs if "example.com" in href] == ["mailto:us@example.com"]
    assert [href for href in hrefs if "/c/" in href] == [
        tracking.address_of(tracked.id, n) for n in (0, 1, tracking.TRAP)
    ]
    assert sum("/preferences/" in href or "/unsubscribe/" in href for href in hrefs) == 3
    assert "tel:+49301234" in hrefs
    assert list(Link.objects.order_by("place").values_list("destination", flat=True)) == [
        "https://example.com/a?b=1&c=2#d", "https://example.com/two", "https://example.com/a?b=1&c=2#d"
    ]  # fmt: skip
    assert "https://example.com/two" in tracked.text
    assert "/c/" not in tracked.text
    assert "https://example.com/two" in _hrefs(tracking.shown(tracked))
    (mail,) = sink.mails
    assert "/c/v1." in str(mail)


def test_tr_03_a_link_leads_to_what_the_author_wrote_to_the_letter(tracked: Message, client: Client, at: Any) -> None:
    at(60 * SECOND)
    for place, address in enumerate(["https://example.com/a?b=1&c=2#d", "https://example.com/two"]):
        answer = client.get(_path(tracked, place))
        assert (answer.status_code, answer["Location"]) == (302, address)
        assert "no-store" in answer["Cache-Control"]
        assert answer["Referrer-Policy"] == "no-referrer"
        assert not answer.cookies
    assert client.post(_path(tracked, 0)).status_code == 405


def test_tr_01_what_we_did_not_sign_and_what_is_no_link_leads_nowhere(tracked: Message, client: Client) -> None:
    good = _path(tracked, 0)
    other = tokens.make("confirm", request=tracked.id, at=tracked.queued_at)
    wrong = [good[:-1] + ("A" if good[-1] != "A" else "B"), "/c/x", f"/c/{other}", _path(tracked, 9)]
    wrong += [f"/c/{tokens.make('click', message=uuid4(), place=0)}", good + "?url=https://evil.example"]
    for path in wrong[:-1]:
        answer = client.get(path)
        assert answer.status_code == 404
        assert "This link does not work" in answer.content.decode()
    assert client.get(wrong[-1])["Location"] == "https://example.com/a?b=1&c=2#d"
    assert Hit.objects.count() == 1


EVIL = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "ftp://a.example",
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https:/\\evil.example",
    "https:\\\\evil.example",
    "https:///x",
    "https://",
    "http://:80",
    "https://user@evil.example",
    "https://a.example@evil.example",
    "https://a:b@evil.example",
    "https://evil.example\r\nSet-Cookie: x=1",
    "https://evil.example\nX: y",
    "https://evil.example/\tx",
    " https://a.example",
    "https://a.example ",
    "https://a.example\x00",
    "https://evil。example",
    "https://evil．example",
    "https://раураl.example",
    "https://a.example\\@evil.example",
    "https://a.example:port/",
    "https://a.example:99999/",
    "https://a.example:0/",
    "https://[::1",
    "https://%65vil.example/",
    "https://a.example%2eevil.example/",
    "",
    "?url=https://a.example",
    "#x",
    "mailto:a@example.com",
    "tel:+49",
    "https://a.example/" + "x" * 5_000,
    "https://a.example/\u2028",
    "https:a.example",
]


@pytest.mark.parametrize("address", EVIL)
def test_tr_02_what_may_be_read_in_two_ways_is_neither_wrapped_nor_led_to(
    address: str, tracked: Message, client: Client
) -> None:
    assert not tracking.is_safe(address)
    html = f'<a href="{address}">x</a>'
    assert tracking.wrapped(html, tracked.id) == (html, {})
    if "\x00" in address:
        return
    Link.objects.filter(place=0).update(destination=address)
    answer = client.get(_path(tracked, 0))
    assert answer.status_code == 404
    assert "Location" not in answer


@given(st.lists(st.sampled_from(["https://a.example/?x=1&y=2", "http://b.example", "mailto:a@b.example", "#here"])))
def test_what_is_wrapped_leads_back_to_what_it_was(addresses: list[str]) -> None:
    html = "".join(f'<a style="x" href="{address.replace("&", "&amp;")}">x</a>' for address in addresses)
    wrapped, places = tracking.wrapped(html, UUID(int=7))
    back = {tracking.address_of(UUID(int=7), place): address for address, place in places.items()}
    assert [back.get(href, href) for href in _hrefs(wrapped)] == addresses
    assert sorted(places.values()) == list(range(len(places)))
    assert tracking.wrapped(html, UUID(int=7), places) == (wrapped, places)


def test_what_is_sent_again_keeps_the_places_of_what_may_have_arrived(
    tracked: Message, write: Write, now: datetime
) -> None:
    write(blocks=[{"kind": "button", "text": "New", "href": "https://example.com/new"}, BLOCKS[1]])
    Message.objects.filter(id=tracked.id).update(state="queued", due_at=now)
    dispatch.tick(now)
    assert list(Link.objects.order_by("place").values_list("destination", flat=True)) == [
        "https://example.com/a?b=1&c=2#d", "https://example.com/two", "https://example.com/new",
        "https://example.com/a?b=1&c=2#d",
    ]  # fmt: skip
    assert [href for href in _hrefs(state_of(tracked.id).html) if "/c/" in href] == [
        tracking.address_of(tracked.id, place) for place in (2, 1, tracking.TRAP)
    ]


# ── Hits ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_persons_click_is_told_once_a_minute_and_moves_the_message_on(
    tracked: Message, client: Client, at: Any
) -> None:
    moment = at(60 * SECOND)
    client.get(_path(tracked, 1))
    client.get(_path(tracked, 1))
    assert clicks.tick(moment + SECOND) == 0  # its company is not known yet
    assert clicks.tick(moment + 3 * SECOND) == 2
    assert clicks.tick(moment + 3 * SECOND) == 0
    (told,) = _told()
    assert (told["message"], told["template"], told["link"], told["url"]) == (
        str(tracked.id), "hello", 1, "https://example.com/two"
    )  # fmt: skip
    assert state_of(tracked.id).state == "clicked"
    assert Event.objects.get(type__name="$message_clicked").occurred_at == moment
    later = at(300 * SECOND)
    client.get(_path(tracked, 0))
    clicks.tick(later + 3 * SECOND)
    assert [one["url"] for one in _told()] == ["https://example.com/two", "https://example.com/a"]


def test_who_clicks_with_many_others_does_not_wait_in_the_queue_of_crowds(
    tracked: Message, client: Client, at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "MANY", 0)
    Pulse.objects.all().delete()
    moment = at(60 * SECOND)
    client.get(_path(tracked, 1))
    clicks.tick(moment + 3 * SECOND)
    assert list(Pulse.objects.values_list("crowd", flat=True)) == [False]


def test_bt_02_bt_03_programs_are_led_on_and_are_no_click(tracked: Message, client: Client, at: Any) -> None:
    at(SECOND)  # sooner than anybody reads
    assert client.get(_path(tracked, 1)).status_code == 302
    at(60 * SECOND)  # a program that only looks
    assert client.head(_path(tracked, 1)).status_code == 302
    at(120 * SECOND)  # all links at once
    assert client.get(_path(tracked, 0)).status_code == 302
    moment = at(121 * SECOND)
    assert client.get(_path(tracked, 1)).status_code == 302
    clicks.tick(moment + 10 * SECOND)
    assert set(Hit.objects.values_list("kind", flat=True)) == {"bot"}
    assert _told() == []
    assert state_of(tracked.id).state == "sent"


def test_bt_02_hits_can_be_judged_anew_from_what_is_kept(tracked: Message, client: Client, at: Any) -> None:
    for seconds, place in ((1, 0), (60, 1), (61, 0), (200, 1)):
        moment = at(seconds * SECOND)
        client.get(_path(tracked, place))
    clicks.tick(moment + 10 * SECOND)
    before = dict(Hit.objects.values_list("id", "kind"))
    assert list(dict(sorted(before.items())).values()) == ["bot", "bot", "bot", "human"]
    assert clicks.kinds_of([tracked.id]) == before
    Hit.objects.update(kind="")
    clicks.tick(moment + 10 * SECOND)
    assert dict(Hit.objects.values_list("id", "kind")) == before
    assert len(_told()) == 1


def _plainly(hits: list[tuple[float, int, str]], links: int) -> list[str]:
    """A hit is a program's if it is no GET, comes before second two, or any two seconds that hold it hold all links."""
    kinds = []
    for at, _, method in hits:
        swept = any(
            begin <= at <= begin + 2 and {p for t, p, _ in hits if begin <= t <= begin + 2} >= set(range(links))
            for begin, _, _ in hits
        )
        kinds.append("bot" if method != "GET" or at < 2 or (links > 1 and swept) else "human")
    return kinds


def _hits(links: int) -> st.SearchStrategy[tuple[int, list[tuple[float, int, str]]]]:
    half_seconds = st.integers(0, 24).map(lambda n: n / 2)
    hit = st.tuples(half_seconds, st.integers(0, links - 1), st.sampled_from(["GET", "GET", "HEAD"]))
    return st.tuples(st.just(links), st.lists(hit, max_size=10))


@given(st.integers(1, 3).flatmap(_hits))
def test_bt_02_hits_are_told_apart_as_a_plain_reading_of_the_rules_does(
    drawn: tuple[int, list[tuple[float, int, str]]],
) -> None:
    links, hits = drawn[0], sorted(drawn[1])
    began = datetime.fromisoformat("2026-11-24T10:00:00+00:00")
    rows = [Hit(link=Link(place=p), at=began + t * SECOND, method=method) for t, p, method in hits]
    assert [str(kind) for kind in clicks.told_apart(rows, range(links), began)] == _plainly(hits, links)


AGENTS = {
    "IPHONE": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1",
    "CHROME": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36",
    "CHROME_OLD": "Mozilla/5.0 (Windows NT 6.1) AppleWebKit/537.36 Chrome/79.0.3945.88 Safari/537.36",
    "FIREFOX": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
}  # fmt: skip


def test_bt_02_of_the_fixture_set_programs_are_told_from_people_by_known_figures() -> None:
    left = datetime.fromisoformat("2026-11-24T10:00:00+00:00")
    verdicts: list[tuple[str, str]] = []
    for trace in json.loads((Path(__file__).parent / "traces.json").read_text()):
        hits, real = [], []
        for after, place, agent, who, *more in trace["hits"]:
            method, where = [*more, "GET", ""][:2] if more else ("GET", "")
            link = Link(place=tracking.TRAP if place == "trap" else place)
            network = agents.network_of(where)
            at, named = left + after * SECOND, AGENTS.get(agent, agent)
            hits.append(Hit(link=link, at=at, method=method, agent=named, network=network))
            real.append(who)
        found = clicks.told_apart(hits, [*range(trace["links"]), tracking.TRAP], left)
        verdicts += zip([str(kind) for kind in found], real, strict=True)
    said, were = [v for v in verdicts if v[0] == "bot"], [v for v in verdicts if v[1] == "bot"]
    caught = [v for v in verdicts if v == ("bot", "bot")]
    # One person is lost, and one program missed, in the two traces that say so; no others.
    assert (len(said) - len(caught), len(were) - len(caught)) == (1, 1)
    assert len(caught) / len(said) > 0.95
    assert len(caught) / len(were) > 0.95


def test_bt_02_the_hidden_link_is_for_programs_alone_and_tells_on_them_also_afterwards(
    tracked: Message, client: Client, at: Any
) -> None:
    trap = re.search(rf'<a href="{re.escape(tracking.address_of(tracked.id, tracking.TRAP))}"[^>]*></a>', tracked.html)
    assert trap
    assert all(said in trap[0] for said in ('aria-hidden="true"', 'tabindex="-1"', "display:none"))
    assert "/c/v1." not in tracking.shown(tracked)
    moment = at(60 * SECOND)
    client.get(_path(tracked, 1), HTTP_USER_AGENT=AGENTS["CHROME"])
    clicks.tick(moment + 3 * SECOND)
    assert state_of(tracked.id).state == "clicked"
    moment = at(90 * SECOND)
    answer = client.get(_path(tracked, tracking.TRAP), HTTP_USER_AGENT=AGENTS["CHROME"])
    assert (answer.status_code, answer["Location"]) == (302, "https://example.com/a?b=1&c=2#d")
    clicks.tick(moment + 3 * SECOND)
    assert state_of(tracked.id).state == "sent"
    assert set(Hit.objects.values_list("kind", flat=True)) == {"bot"}
    assert len(_told()) == 1  # what was told stays told; no figure counts it


def test_bt_02_scanners_are_known_by_their_networks_and_no_address_is_kept(
    tracked: Message, client: Client, at: Any
) -> None:
    moment = at(60 * SECOND)
    client.get(_path(tracked, 0), HTTP_USER_AGENT=AGENTS["CHROME"], REMOTE_ADDR="67.231.150.7")
    moment = at(90 * SECOND)
    client.get(_path(tracked, 1), HTTP_USER_AGENT=AGENTS["CHROME"], REMOTE_ADDR="192.0.2.7")
    clicks.tick(moment + 9 * SECOND)
    assert list(Hit.objects.order_by("id").values_list("network", "kind")) == [("Proofpoint", "bot"), ("", "human")]
    fields = {field.name for field in Hit._meta.fields}
    assert fields == {"id", "link", "at", "method", "agent", "network", "kind"}


def test_co_15_whoever_takes_tracking_back_is_led_on_and_leaves_nothing(
    tracked: Message, ada: Profile, agree: Agree, client: Client, at: Any, now: datetime
) -> None:
    agree(ada, topic="tracking", state="denied", at=now + SECOND)
    at(60 * SECOND)
    assert client.get(_path(tracked, 1)).status_code == 302
    assert not Hit.objects.exists()


def test_co_15_a_link_in_the_foot_ends_tracking_also_by_mails_of_before(
    tracked: Message, ada: Profile, queue: Queue, sink: Sink, client: Client, at: Any, now: datetime
) -> None:
    (mail,) = sink.mails
    assert "You agreed that we see whether you open this and which links you follow." in unescape(tracked.html)
    address = re.search(r"Stop that: (\S+)", tracked.text)
    assert address and address[1] in unescape(tracked.html) and "Stop that" in str(mail)
    moment = at(60 * SECOND)
    path = address[1].removeprefix("http://127.0.0.1:8000")
    assert client.get(path).status_code == 200 and tracking.agreed([(ada.id, "email")])
    client.post(path, {"List-Unsubscribe": "One-Click"})
    assert not tracking.agreed([(ada.id, "email")])
    picture = f"/o/{tokens.make('open', message=tracked.id)}"
    assert (client.get(_path(tracked, 1)).status_code, client.get(picture).status_code) == (302, 200)
    assert not Hit.objects.exists() and not Opening.objects.exists()
    later = queue(ada, at=moment)
    dispatch.tick(moment)
    plain = state_of(later.id)
    assert plain.state == "sent"
    assert "<img" not in plain.html and "/c/" not in plain.html + plain.text and "Stop that" not in plain.text


def test_co_15_without_consent_nothing_counts_openings_not_even_of_all_together(
    send: Any, client: Client, at: Any
) -> None:
    message = send()
    assert not re.search(r"<img[^>]*127\.0\.0\.1", message.html) and "/o/" not in message.html + message.text
    at(60 * SECOND)
    for path in (f"/o/{tokens.make('open', message=message.id)}", "/o/news", "/o/hello.gif"):
        assert client.get(path).status_code == 200
    assert not Opening.objects.exists() and not Hit.objects.exists()


def test_tr_04_a_link_leads_on_while_nothing_can_be_written(
    tracked: Message, client: Client, at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise DatabaseError("cannot execute INSERT in a read-only transaction")

    monkeypatch.setattr(Hit, "save", fail)
    at(60 * SECOND)
    assert client.get(_path(tracked, 1))["Location"] == "https://example.com/two"
    assert client.get(_path(tracked, 1)[:-2]).status_code == 404


@pytest.mark.parametrize(
    ("before", "after"),
    [("sent", "clicked"), ("delivered", "clicked"), ("opened", "clicked"), ("clicked", "clicked"),
     ("unknown", "clicked"), ("bounced", "bounced"), ("complained", "complained")],
)  # fmt: skip
def test_pr_05_a_click_moves_a_message_on_and_never_back(
    before: str, after: str, tracked: Message, client: Client, at: Any
) -> None:
    Message.objects.filter(id=tracked.id).update(state=before)
    moment = at(60 * SECOND)
    client.get(_path(tracked, 1))
    clicks.tick(moment + 3 * SECOND)
    assert state_of(tracked.id).state == after


def test_er_01_erasing_leaves_no_link_and_no_hit(tracked: Message, ada: Profile, client: Client, at: Any) -> None:
    moment = at(60 * SECOND)
    client.get(_path(tracked, 1))
    erasing.erase(ada, now=moment)
    assert not Link.objects.exists()
    assert not Hit.objects.exists()
    assert client.get(_path(tracked, 1)).status_code == 404
    assert clicks.tick(moment + 9 * SECOND) == 0


def test_the_page_of_a_message_shows_clicks_and_its_links_count_none(
    tracked: Message, admin_client: Client, at: Any
) -> None:
    moment = at(60 * SECOND)
    admin_client.get(_path(tracked, 1))
    clicks.tick(moment + 3 * SECOND)
    page = admin_client.get(f"/admin/messaging/message/{tracked.id}/change/").content.decode()
    assert "Links that say that they were followed" in page
    assert "/c/v1." not in page
