"""People, companies and events over the REST API."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from profiles.ingest import Trust, take
from profiles.models import Account, Claim, Event, Identifier, Profile, Pulse
from profiles.retention import CLAIMS_FOR
from staff.models import AuditEntry

PROFILES = "/api/v1/profiles/"


def at(external_id: str, below: str = "") -> str:
    return f"{PROFILES}{quote(external_id, safe='')}/{below}"


def track(external_id: str, name: str, now: datetime, **properties: object) -> None:
    call = {"type": "track", "userId": external_id, "event": name, "properties": properties, "messageId": f"m-{name}"}
    receipt = take([call | {"timestamp": now.isoformat()}], source="test", trust=Trust.SERVER, now=now)
    assert receipt.stored == 1


class TestOne:
    def test_it_shows_who_somebody_is_and_where_their_page_is(self, api: APIClient, ada: Profile) -> None:
        acme = Account.objects.create(external_id="acme", created_at=ada.first_seen_at)
        Profile.objects.filter(pk=ada.pk).update(account=acme)

        shown = api.get(at("ada")).json()

        assert shown["preferences_url"].startswith("http")
        assert (
            shown.items()
            >= {
                "id": str(ada.id),
                "external_id": "ada",
                "email": "ada@example.com",
                "first_name": "Ada",
                "last_name": None,
                "attributes": {"plan": "pro"},
                "account": "acme",
            }.items()
        )

    def test_the_link_it_gives_opens_the_persons_page(self, api: APIClient, ada: Profile, client) -> None:
        url = api.get(at("ada")).json()["preferences_url"]
        assert client.get("/" + url.split("/", 3)[3]).status_code == 200

    def test_somebody_unknown_is_404_with_a_sentence(self, api: APIClient) -> None:
        for method in (api.get, api.patch, api.delete):
            answer = method(at("nobody"), {})
            assert answer.status_code == 404
            assert answer.json()["detail"] == "Nobody here has the external_id 'nobody'."

    def test_the_id_of_somebody_merged_leads_to_who_they_are_now(self, api: APIClient, ada: Profile) -> None:
        Identifier.objects.create(kind="user_id", value="old-ada", profile=ada, created_at=ada.first_seen_at)
        assert api.get(at("old-ada")).json()["external_id"] == "ada"


class TestPut:
    def test_somebody_new_is_201_and_the_same_again_200(self, api: APIClient) -> None:
        body = {"email": "dora@example.com", "attributes": {"plan": "pro", "seats": 3}, "account": "acme"}
        assert api.put(at("dora"), body).status_code == 201
        again = api.put(at("dora"), body)
        assert again.status_code == 200
        assert again.json().items() >= body.items()
        assert Account.objects.get().external_id == "acme"

    def test_it_replaces(self, api: APIClient, ada: Profile) -> None:
        shown = api.put(at("ada"), {"last_name": "Byron"}).json()
        assert (shown["last_name"], shown["email"], shown["attributes"]) == ("Byron", None, {})

    def test_what_was_shown_can_be_sent_back_whole(self, api: APIClient, ada: Profile) -> None:
        shown = api.get(at("ada")).json()
        back = api.put(at("ada"), shown)
        assert back.status_code == 200
        assert {**back.json(), "preferences_url": ""} == {**shown, "preferences_url": ""}

    @pytest.mark.parametrize("name", ["", "  ", None])
    def test_a_company_with_a_blank_name_has_none(self, api: APIClient, name: str | None) -> None:
        shown = api.put("/api/v1/accounts/acme/", {"name": name}).json()
        assert shown["name"] is None
        assert api.put("/api/v1/accounts/acme/", shown).json() == shown

    @pytest.mark.parametrize("method", ["PUT", "PATCH"])
    def test_a_body_that_is_not_there_changes_nothing(self, api: APIClient, ada: Profile, method: str) -> None:
        before = Profile.objects.filter(pk=ada.pk).values().get()
        for address in (at("ada"), "/api/v1/accounts/acme/"):
            answer = api.generic(method, address, content_type="application/json")
            assert answer.status_code in (400, 405)
            assert answer.status_code == 405 or "has no body" in answer.json()["detail"]
        assert Profile.objects.filter(pk=ada.pk).values().get() == before
        assert not Account.objects.exists()

    def test_a_body_in_chunks_says_who_somebody_is(self, api: APIClient, ada: Profile) -> None:
        stream = BytesIO(b'{"first_name": "Ada", "email": "ada@new.example"}')
        way: dict[str, Any] = {"wsgi.input": stream, "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
        shown = api.generic("PUT", at("ada"), content_type="application/json", **way).json()
        assert (shown["first_name"], shown["email"]) == ("Ada", "ada@new.example")

    def test_somebody_changed_is_looked_at_again(self, api: APIClient, ada: Profile) -> None:
        api.put(at("ada"), {"attributes": {"plan": "free"}})
        assert "plan" in Pulse.objects.get(profile_id=ada.id).attributes

    @pytest.mark.parametrize(
        ("body", "path"),
        [
            ({"email": 5}, "email"),
            ({"created_at": "yesterday"}, "created_at"),
            ({"attributes": []}, "attributes"),
            ({"attributes": {"$plan": 1}}, "attributes"),
            ({"attributes": {"a": json.loads("[" * 20 + "]" * 20)}}, "attributes.a" + "[0]" * 14),
            ({"account": 7}, "account"),
            ({"external_id": "ben"}, "external_id"),
            ({"plan": "pro"}, "plan"),
            ([], ""),
        ],
    )
    def test_what_cannot_be_is_400_and_changes_nothing(
        self, api: APIClient, ada: Profile, body: object, path: str
    ) -> None:
        before = Profile.objects.filter(pk=ada.pk).values().get()
        answer = api.put(at("ada"), body)
        assert answer.status_code == 400
        assert path in {error["path"] for error in answer.json()["errors"]}
        assert Profile.objects.filter(pk=ada.pk).values().get() == before


class TestPatch:
    def test_it_merges_attributes_key_by_key(self, api: APIClient, ada: Profile) -> None:
        shown = api.patch(at("ada"), {"attributes": {"seats": 3}, "phone": "+49 30 1"}).json()
        assert shown["attributes"] == {"plan": "pro", "seats": 3}
        assert (shown["phone"], shown["email"]) == ("+49 30 1", "ada@example.com")

    def test_null_takes_away(self, api: APIClient, ada: Profile) -> None:
        shown = api.patch(at("ada"), {"attributes": {"plan": None}, "email": None}).json()
        assert (shown["attributes"], shown["email"]) == ({}, None)


def test_delete_erases(api: APIClient, ada: Profile) -> None:
    assert api.delete(at("ada")).status_code == 204
    assert not Profile.objects.filter(pk=ada.pk).exists()
    assert api.get(at("ada")).status_code == 404


class TestIds:
    @pytest.mark.parametrize(
        "external_id",
        [
            "a/b",
            "/",
            "a/",
            "a b",
            "ü",
            "名前",
            "a?b=c",
            "a#b",
            "%2F",
            "..",
            "a.b@c.d",
            "events",
            "x/y/z",
            "a\nb",
            "💥",
            "+",
        ],
    )
    def test_an_id_holds_any_characters(self, api: APIClient, external_id: str) -> None:
        assert api.put(at(external_id), {"first_name": "X"}).status_code == 201
        assert api.get(at(external_id)).json()["external_id"] == external_id
        assert api.get(at(external_id, "events/")).json() == {"next": None, "results": []}
        assert api.get(at(external_id, "segments/")).status_code == 200
        assert api.patch(at(external_id), {"last_name": "Y"}).json()["last_name"] == "Y"
        assert api.delete(at(external_id)).status_code == 204
        assert not Profile.objects.exists()

    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(external_id=st.text(max_size=300))
    def test_JS01_no_id_whatever_breaks_it(self, api: APIClient, external_id: str) -> None:
        address = PROFILES + quote(external_id.encode(errors="surrogatepass"), safe="") + "/"
        for answer in (api.get(address), api.put(address, {}), api.get(address + "events/")):
            assert answer.status_code in (200, 201, 400, 404, 405)


class TestList:
    def test_it_finds_by_address_company_and_when_seen(
        self, api: APIClient, person: Callable[..., Profile], now: datetime
    ) -> None:
        acme = Account.objects.create(external_id="acme", created_at=now)
        person("old", seen=now - timedelta(days=9), email="x@example.com")
        person("new", account=acme)
        person()

        def found(query: str) -> set[str]:
            return {row["external_id"] for row in api.get(f"{PROFILES}?{query}").json()["results"]}

        assert found("") == {"old", "new", None}
        assert found("email=x@example.com") == {"old"}
        assert found("email=X@Example.COM") == {"old"}
        assert found("email=_@example.com") == set()
        assert found("account=acme") == {"new"}
        assert found(f"seen_after={quote((now - timedelta(days=1)).isoformat())}") == {"new", None}
        assert api.get(f"{PROFILES}?seen_after=lately").status_code == 400

    def test_a_page_costs_the_same_whatever_it_holds(
        self, api: APIClient, person: Callable[..., Profile], django_assert_num_queries
    ) -> None:
        def count() -> int:
            from django.db import connection
            from django.test.utils import CaptureQueriesContext

            with CaptureQueriesContext(
                connection,
            ) as queries:
                assert api.get(PROFILES).status_code == 200
            return len(queries)

        api.get(PROFILES)
        person("a")
        few = count()
        for n in range(20):
            person(f"p{n}")
        assert count() == few


class TestEvents:
    def test_they_come_newest_first_and_by_what_is_asked(self, api: APIClient, ada: Profile, now: datetime) -> None:
        track("ada", "signed_up", now - timedelta(days=2), plan="pro")
        track("ada", "exported", now - timedelta(days=1))
        track("ben", "exported_too", now)

        def names(address: str) -> list[str]:
            return [event["name"] for event in api.get(address).json()["results"]]

        assert names(at("ada", "events/")) == ["exported", "signed_up"]
        assert names("/api/v1/events/") == ["exported_too", "exported", "signed_up"]
        assert names("/api/v1/events/?external_id=ada&name=signed_up") == ["signed_up"]
        assert names("/api/v1/events/?name=never") == []
        assert names(at("ada", f"events/?since={quote((now - timedelta(days=1)).isoformat())}")) == ["exported"]
        assert names(at("ada", f"events/?until={quote((now - timedelta(days=1)).isoformat())}")) == ["signed_up"]
        first = api.get(at("ada", "events/?limit=1")).json()
        assert [event["name"] for event in api.get(first["next"]).json()["results"]] == ["signed_up"]

    @pytest.mark.parametrize(
        "external_id",
        ["a?b=c&d", "a#b", "100%", "%2F", "..", ".", "...", "../x", "a/./b", "a//b", "ü/💥", "events", "v1"],
    )
    def test_the_next_page_is_found_whatever_the_id(self, api: APIClient, external_id: str, now: datetime) -> None:
        track(external_id, "first", now - timedelta(days=2))
        track(external_id, "second", now - timedelta(days=1))
        page = api.get(at(external_id, "events/?limit=1&name=second")).json()
        assert page["next"] is None
        page = api.get(at(external_id, "events/?limit=1")).json()
        # As browsers and proxies read it: nothing cuts it off, and no dots lead up from there.
        parts = urlsplit(urljoin("http://testserver/x/", page["next"]))
        assert not parts.fragment
        assert {segment.strip(".") for segment in parts.path[1:-1].split("/")}.isdisjoint({""})
        assert unquote(parts.path) == f"{PROFILES}{external_id}/events/"
        following = api.get(page["next"]).json()
        assert ([event["name"] for event in following["results"]], following["next"]) == (["first"], None)

    def test_one_is_found_by_its_message_id(self, api: APIClient, ada: Profile, now: datetime) -> None:
        track("ada", "signed_up", now - timedelta(days=200), plan="pro")
        shown = api.get("/api/v1/events/m-signed_up/").json()
        assert shown.items() >= {"name": "signed_up", "external_id": "ada", "properties": {"plan": "pro"}}.items()
        assert shown["message_id"] == Event.objects.get().message_id
        assert api.get("/api/v1/events/m-nothing/").status_code == 404
        # The same once its claim is forgotten.
        Event.objects.update(received_at=now - CLAIMS_FOR - timedelta(days=1))
        Claim.objects.all().delete()
        assert api.get("/api/v1/events/m-signed_up/").json()["name"] == "signed_up"

    def test_somebody_unknown_has_no_list(self, api: APIClient) -> None:
        assert api.get(at("nobody", "events/")).status_code == 404


class TestAccounts:
    def test_it_is_made_replaced_and_listed(self, api: APIClient) -> None:
        made = api.put("/api/v1/accounts/acme%2Feu/", {"name": "Acme", "attributes": {"plan": "pro"}})
        assert (made.status_code, made.json()["external_id"]) == (201, "acme/eu")
        again = api.put("/api/v1/accounts/acme%2Feu/", {"attributes": {"seats": 9}})
        assert (again.status_code, again.json()["name"], again.json()["attributes"]) == (200, None, {"seats": 9})
        [shown] = api.get("/api/v1/accounts/").json()["results"]
        assert shown == api.get("/api/v1/accounts/acme%2Feu/").json()
        assert api.get("/api/v1/accounts/none/").status_code == 404

    def test_its_people_are_looked_at_again_for_what_changed(self, api: APIClient, ada: Profile) -> None:
        api.put("/api/v1/accounts/acme/", {"attributes": {"plan": "pro", "seats": 1}})
        api.patch(at("ada"), {"account": "acme"})
        Pulse.objects.all().delete()
        api.put("/api/v1/accounts/acme/", {"attributes": {"plan": "pro", "seats": 2}})
        assert Pulse.objects.get(profile_id=ada.id).attributes == ["account.seats"]
        Pulse.objects.all().delete()
        api.put("/api/v1/accounts/acme/", {"attributes": {"plan": "pro", "seats": 2}})
        assert not Pulse.objects.exists()

    @pytest.mark.parametrize("body", [{"name": 5}, {"attributes": 5}, {"seats": 1}, {"attributes": {"": 1}}])
    def test_what_cannot_be_is_400(self, api: APIClient, body: dict) -> None:
        assert api.put("/api/v1/accounts/acme/", body).status_code == 400
        assert not Account.objects.exists()


def test_AZ03_no_field_of_the_model_but_the_documented_changes(api: APIClient, ada: Profile, ben: Profile) -> None:
    sent = {
        field.name: str(ben.id) if field.name in ("id", "account") else "2001-01-01T00:00:00Z"
        for field in Profile._meta.get_fields()
        if field.name not in ("external_id", "attributes", "email", "created_at")
    }
    for name, value in sent.items():
        api.put(at("ada"), {name: value})
        api.patch(at("ada"), {name: value})
    ada.refresh_from_db()
    assert (ada.external_id, ada.first_seen_at) == ("ada", ben.first_seen_at)
    assert Profile.objects.filter(pk=ben.pk, external_id="ben", email="ben@example.com").exists()
    assert not AuditEntry.objects.filter(actor="system").exclude(kind="key").exists()
