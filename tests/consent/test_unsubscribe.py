"""The way out of every message: RFC 8058's one click, and the page with one button."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, connections
from django.test import Client

from consent import ledger, links, states, tokens
from consent.ledger import Outcome
from consent.models import ConsentEvidence, ConsentRecord, Preference, RefusedUpgrade, Topic
from foundation import clock
from profiles import merging
from profiles.merging import Pair
from profiles.models import Profile

Decide = Callable[..., Outcome]
PAIR = {"List-Unsubscribe": "One-Click"}
MESSAGE = UUID(int=42)


def address(profile: Profile, topic: str = "news", channel: str = "email") -> str:
    return urlsplit(links.unsubscribe_url(profile, topic, channel, MESSAGE)).path


def state_of(profile: Profile, topic: str = "news", channel: str = "email") -> str | None:
    found = states.of([profile.id], topic, channel).get(profile.id)
    return found.state if found else None


def everything() -> list[Any]:
    """All that an unsubscription could change."""
    return [
        list(model.objects.order_by("pk").values()) for model in (ConsentRecord, ConsentEvidence, Preference, Topic)
    ]


def hidden(response: Any, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', response.content.decode())
    assert found, f"the page has no {name}"
    return found[1]


@pytest.fixture
def provider() -> Client:
    """A mail provider: no cookies, no script, and Django's CSRF checks at their strictest."""
    return Client(enforce_csrf_checks=True)


@pytest.mark.parametrize("encoding", ["multipart", "urlencoded"])
@pytest.mark.parametrize("slash", [True, False])
@pytest.mark.parametrize("secure", [True, False])
@pytest.mark.parametrize("language", ["en", "de-CH, de;q=0.9", "xx"])
def test_UN02_one_click_unsubscribes_before_it_is_answered(
    provider: Client,
    ada: Profile,
    news: Topic,
    decide: Decide,
    encoding: str,
    slash: bool,
    secure: bool,
    language: str,
) -> None:
    decide(ada, "news", "granted")
    path = address(ada) if slash else address(ada).rstrip("/")
    body: dict[str, Any] = {"data": PAIR}
    if encoding == "urlencoded":
        body = {"data": "List-Unsubscribe=One-Click", "content_type": "application/x-www-form-urlencoded"}
    response = provider.post(path, **body, secure=secure, headers={"accept-language": language})
    assert response.status_code == 200
    assert "Location" not in response.headers
    assert "Set-Cookie" not in response.headers
    assert not response.cookies
    assert state_of(ada) == "denied"


def test_UN02_who_is_signed_in_makes_no_difference(provider: Client, ada: Profile, news: Topic, decide: Decide) -> None:
    decide(ada, "news", "granted")
    provider.force_login(get_user_model().objects.create_superuser("staff", password="x"))
    response = provider.post(address(ada), PAIR)
    assert response.status_code == 200
    assert state_of(ada) == "denied"
    row = ConsentRecord.objects.latest("seq")
    assert row.actor == "customer"


@pytest.mark.parametrize("method", ["get", "head", "options", "put", "patch", "delete", "post"])
def test_UN03_without_the_pair_nothing_changes_whatever_the_method(
    provider: Client, ada: Profile, news: Topic, decide: Decide, method: str
) -> None:
    decide(ada, "news", "granted")
    before = everything()
    for _ in range(3):
        response = getattr(provider, method)(address(ada))
        assert response.status_code in ((200,) if method in ("get", "head", "post") else (204, 405))
    if method == "post":
        for wrong in (
            {"List-Unsubscribe": "one-click"},
            {"list-unsubscribe": "One-Click"},
            {"do": "undo", "undo": "x"},
        ):
            provider.post(address(ada), wrong)
    assert everything() == before


def test_UN03_the_page_names_the_topic_and_has_one_button_and_the_way_to_all_choices(
    provider: Client, ada: Profile, news: Topic
) -> None:
    html = provider.get(address(ada)).content.decode()
    assert "Product news (Email)" in html
    assert html.count("<button") == 1
    assert ">Unsubscribe</button>" in html
    link = re.search(r'href="http://[^/]*(/preferences/[^"]+)"', html)
    assert link
    assert provider.get(link[1]).status_code == 200


def test_the_button_on_the_page_unsubscribes(provider: Client, ada: Profile, news: Topic, decide: Decide) -> None:
    decide(ada, "news", "granted")
    response = provider.post(address(ada), {**PAIR, "page": hidden(provider.get(address(ada)), "page")})
    assert "You are unsubscribed" in response.content.decode()
    row = ConsentRecord.objects.latest("seq")
    assert (row.state, row.source, row.message) == ("denied", "page", MESSAGE)


def test_UN04_nobody_can_make_up_a_link(provider: Client, ada: Profile, news: Topic, decide: Decide) -> None:
    decide(ada, "news", "granted")
    before = everything()
    path = address(ada)
    garbage = provider.get("/unsubscribe/garbage/")
    for place in range(len("/unsubscribe/"), len(path) - 1):
        changed = path[:place] + ("A" if path[place] != "A" else "B") + path[place + 1 :]
        response = provider.post(changed, PAIR)
        assert (response.status_code, response.content) == (404, garbage.content)
    assert everything() == before


def test_UN05_unsubscribing_again_adds_nothing(provider: Client, ada: Profile, news: Topic, decide: Decide) -> None:
    decide(ada, "news", "granted")
    for _ in range(3):
        assert provider.post(address(ada), PAIR).status_code == 200
    assert ConsentRecord.objects.filter(state="denied").count() == 1


def test_UN05_many_at_once_add_one_row(transactional_db: None, person: Callable[..., Profile], news: Topic) -> None:
    path = address(person("ada"))

    def post(_: int) -> int:
        try:
            return Client(enforce_csrf_checks=True).post(path, PAIR).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(post, range(100))) == {200}
    assert ConsentRecord.objects.count() == 1


def test_UN05_a_link_of_somebody_who_was_erased_is_answered_as_well(
    provider: Client, ada: Profile, news: Topic
) -> None:
    path = address(ada)
    ada.delete()
    assert provider.post(path, PAIR).status_code == 200
    assert provider.get(path).status_code == 200
    assert not ConsentRecord.objects.exists()


def test_a_link_works_after_its_person_was_merged_into_another(
    provider: Client, ada: Profile, ben: Profile, news: Topic, decide: Decide, now: datetime
) -> None:
    decide(ada, "news", "granted")
    path = address(ben)
    merging.merge([Pair(ada.id, ben.id)], reason="test", now=now)
    provider.post(path, PAIR)
    assert state_of(ada) == "denied"


def test_UN06_a_link_works_for_ever_and_across_new_keys(
    provider: Client, ada: Profile, news: Topic, settings: Any, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    path = address(ada)
    for n in range(3):
        settings.LINK_KEYS = {**settings.LINK_KEYS, f"new{n}": uuid4().hex}
    settings.SECRET_KEY = "pruned"
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=3660))
    assert provider.post(path, PAIR).status_code == 200
    assert state_of(ada) == "denied"


def test_UN06_and_after_all_other_links_were_made_useless(provider: Client, ada: Profile, news: Topic) -> None:
    path = address(ada)
    Preference.objects.create(profile=ada, token_epoch=5)
    provider.post(path, PAIR)
    assert state_of(ada) == "denied"


def test_UN07_the_row_says_how_and_by_which_message_and_not_from_where(
    provider: Client, ada: Profile, news: Topic
) -> None:
    provider.post(address(ada), PAIR, headers={"user-agent": "Provider/1"}, REMOTE_ADDR="192.0.2.77")
    row = ConsentRecord.objects.get()
    assert (row.state, row.source, row.message, row.topic, row.channel) == (
        "denied",
        "one_click",
        MESSAGE,
        "news",
        "email",
    )
    assert ConsentEvidence.objects.get(record=row.id).data == {"method": "rfc8058"}


def test_UN08_a_topic_leaves_the_others(
    provider: Client, ada: Profile, news: Topic, tips: Topic, decide: Decide
) -> None:
    decide(ada, "news", "granted")
    decide(ada, "tips", "granted")
    provider.post(address(ada), PAIR)
    assert (state_of(ada), state_of(ada, "tips")) == ("denied", "granted")


def test_UN08_a_message_without_a_topic_stands_for_all_of_its_channel(
    provider: Client, ada: Profile, news: Topic, tips: Topic, receipts: Topic, decide: Decide
) -> None:
    decide(ada, "news", "granted")
    decide(ada, "news", "granted", "sms")
    provider.post(address(ada, ""), PAIR)
    assert (state_of(ada), state_of(ada, "tips")) == ("denied", "denied")
    assert (state_of(ada, "news", "sms"), state_of(ada, "receipts")) == ("granted", None)


def test_a_topic_that_is_no_longer_there_is_refused_all_the_same(provider: Client, ada: Profile, db: None) -> None:
    assert provider.post(address(ada, "long-gone"), PAIR).status_code == 200
    assert state_of(ada, "long-gone") == "denied"


@pytest.mark.parametrize("method", ["get", "post"])
def test_UN11_a_link_of_a_preview_changes_nothing(
    provider: Client, ada: Profile, news: Topic, decide: Decide, method: str
) -> None:
    decide(ada, "news", "granted")
    before = everything()
    for url in links.inert_urls("news", "email").values():
        path = urlsplit(url).path
        response = provider.post(path, {**PAIR, "do": "stop"}) if method == "post" else provider.get(path)
        assert response.status_code == 200
        assert "This is a preview" in response.content.decode()
    assert everything() == before


def test_UN12_while_the_database_is_away_nothing_is_claimed_and_the_provider_comes_again(
    transactional_db: None, provider: Client, person: Callable[..., Profile], news: Topic
) -> None:
    ada = person("ada")
    path = address(ada)
    host = connection.settings_dict["HOST"]
    connection.close()
    connection.settings_dict["HOST"] = "/nowhere"
    try:
        for response in (provider.post(path, PAIR), provider.get(path)):
            assert response.status_code == 503
            assert int(response.headers["Retry-After"]) > 0
            assert "unsubscribed" not in response.content.decode()
    finally:
        connection.close()
        connection.settings_dict["HOST"] = host
    assert state_of(ada) is None
    assert provider.post(path, PAIR).status_code == 200
    assert state_of(ada) == "denied"


# ── Undo, and less instead of nothing ────────────────────────────────────────────────────────────────────────────────


def unsubscribed(provider: Client, profile: Profile, topic: str = "news") -> Any:
    return provider.post(address(profile, topic), {**PAIR, "page": "unsubscribe"})


def test_what_was_stopped_by_mistake_can_be_taken_back_as_an_act_of_its_own(
    provider: Client, ada: Profile, news: Topic, decide: Decide
) -> None:
    decide(ada, "news", "granted")
    done = unsubscribed(provider, ada)
    stopped = ConsentRecord.objects.latest("seq")
    response = provider.post(address(ada), {"do": "undo", "undo": hidden(done, "undo")})
    assert "You are subscribed again" in response.content.decode()
    row = ConsentRecord.objects.latest("seq")
    assert (row.state, row.source, row.seq) == ("granted", "page", 3)
    assert ConsentEvidence.objects.get(record=row.id).data == {
        "page": "unsubscribe",
        "control": "Undo",
        "undoes": str(stopped.id),
    }


def test_or_kept_with_less_instead(provider: Client, ada: Profile, news: Topic, decide: Decide) -> None:
    decide(ada, "news", "granted")
    done = unsubscribed(provider, ada)
    provider.post(address(ada), {"do": "less", "undo": hidden(done, "undo")})
    assert state_of(ada) == "granted"
    assert Preference.objects.get(profile=ada).intensity == "less"


def test_taking_back_a_stop_of_the_channel_brings_back_just_what_was_there(
    provider: Client, ada: Profile, news: Topic, tips: Topic, decide: Decide
) -> None:
    decide(ada, "news", "granted")
    done = unsubscribed(provider, ada, "")
    assert (state_of(ada), state_of(ada, "tips")) == ("denied", "denied")
    provider.post(address(ada, ""), {"do": "undo", "undo": hidden(done, "undo")})
    assert state_of(ada) == "granted"
    assert state_of(ada, "tips") is None
    assert states.allows(tips, states.of([ada.id], "tips", "email").get(ada.id))


def test_undo_makes_no_consent_where_there_was_none(provider: Client, ada: Profile, news: Topic) -> None:
    done = unsubscribed(provider, ada)
    provider.post(address(ada), {"do": "undo", "undo": hidden(done, "undo")})
    assert state_of(ada) == "denied"


def test_undo_leaves_alone_what_was_decided_since(provider: Client, ada: Profile, news: Topic, decide: Decide) -> None:
    decide(ada, "news", "granted")
    done = unsubscribed(provider, ada)
    decide(ada, "news", "granted")
    decide(ada, "news", "denied")
    provider.post(address(ada), {"do": "undo", "undo": hidden(done, "undo")})
    assert state_of(ada) == "denied"


def test_undo_is_over_after_an_hour(
    provider: Client, ada: Profile, news: Topic, decide: Decide, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(ada, "news", "granted")
    done = unsubscribed(provider, ada)
    later = clock.now() + timedelta(minutes=61)
    monkeypatch.setattr(clock, "now", lambda: later)
    response = provider.post(address(ada), {"do": "undo", "undo": hidden(done, "undo")})
    assert "for an hour only" in response.content.decode()
    assert state_of(ada) == "denied"


@pytest.mark.parametrize("do", ["undo", "less"])
def test_AZ02_nobody_undoes_what_somebody_else_did(
    provider: Client, ada: Profile, ben: Profile, news: Topic, decide: Decide, do: str
) -> None:
    for one in (ada, ben):
        decide(one, "news", "granted")
    done = unsubscribed(provider, ada)
    response = provider.post(address(ben), {"do": do, "undo": hidden(done, "undo")})
    assert response.status_code == 404
    assert (state_of(ada), state_of(ben)) == ("denied", "granted")
    assert not Preference.objects.exists()


def test_a_link_to_unsubscribe_opens_a_page_that_can_only_say_less(
    provider: Client, ada: Profile, news: Topic, tips: Topic, decide: Decide
) -> None:
    decide(ada, "news", "denied")
    page = re.search(r'href="http://[^/]*(/preferences/[^"]+)"', provider.get(address(ada)).content.decode())
    assert page
    html = provider.get(page[1]).content.decode()
    assert "What we know about you" not in html
    assert "ada@" not in html
    provider.post(page[1], {"do": "save", "news.email": "granted", "tips.email": "denied", "intensity": "less"})
    assert (state_of(ada), state_of(ada, "tips")) == ("denied", "denied")
    assert Preference.objects.get().intensity == "less"
    for more in ("data/", "erase/"):
        assert provider.get(page[1] + more).status_code == 404


def test_TK02_a_token_opens_its_own_page_only(provider: Client, ada: Profile, news: Topic, now: datetime) -> None:
    unsubscribe = address(ada).split("/")[2]
    manage = urlsplit(links.preferences_url(ada)).path.split("/")[2]
    for path in (f"/preferences/{unsubscribe}/", f"/unsubscribe/{manage}/", f"/preferences/{unsubscribe}/data/"):
        assert provider.get(path).status_code == 404
    undo = tokens.make("undo", subject=ada.id, first=1, last=1, at=now)
    assert provider.get(f"/unsubscribe/{undo}/").status_code == 404


def test_CO12_a_refusal_by_one_click_outlives_what_others_say(
    provider: Client, ada: Profile, news: Topic, now: datetime
) -> None:
    provider.post(address(ada), PAIR)
    for source in ("import", "api", "staff", "journey"):
        choice = ledger.Choice(profile_id=ada.id, topic="news", channel="email", state="granted", source=source)
        ledger.record([choice], now=clock.now())
    assert state_of(ada) == "denied"
    assert RefusedUpgrade.objects.count() == 4
