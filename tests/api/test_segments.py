"""Segments over the REST API."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from django.db import connection
from rest_framework.test import APIClient

from profiles.ingest import Ours, emit
from profiles.models import Profile
from segments.models import Segment
from staff.models import AuditEntry, User
from tests.api.conftest import client_with

SEGMENTS = "/api/v1/segments/"
TRIAL = {"kind": "attribute", "name": "plan", "op": "is", "value": "trial"}
EVERYBODY: dict = {"all": []}


def put(api: APIClient, slug: str = "trials", **fields: object):
    return api.put(f"{SEGMENTS}{slug}/", {"name": "Trials", "definition": TRIAL, "status": "live"} | fields)


class TestWriting:
    def test_it_is_made_with_all_that_is_known_of_it(self, api: APIClient) -> None:
        User.objects.create_user("olga", is_staff=True)
        fields = {
            "slug": "trials",
            "name": "Trials",
            "description": "On trial",
            "hypothesis": "They need a hand",
            "needs": "Setup",
            "preferred_channels": ["email", "in_app"],
            "success_metric": "activation",
            "family": "lifecycle",
            "position": 2,
            "owner": "olga",
            "status": "draft",
            "definition": TRIAL,
        }
        made = api.post(SEGMENTS, fields | {"reason": "First try"})
        assert made.status_code == 201
        assert made.json().items() >= fields.items()
        assert made.json()["version"] == 1
        assert made.json() == api.get(f"{SEGMENTS}trials/").json()
        assert AuditEntry.objects.filter(kind="segment", target="trials", actor="key:Website").exists()
        assert api.post(SEGMENTS, fields).status_code == 409

    def test_put_makes_then_replaces(self, api: APIClient) -> None:
        assert put(api, description="On trial").status_code == 201
        again = put(api, definition=EVERYBODY, reason="Wider")
        assert again.status_code == 200
        assert (again.json()["description"], again.json()["definition"], again.json()["version"]) == ("", EVERYBODY, 2)
        assert again.json()["status"] == "live"

    def test_patch_changes_what_it_names(self, api: APIClient) -> None:
        put(api, description="On trial")
        shown = api.patch(f"{SEGMENTS}trials/", {"name": "On trial now"}).json()
        assert (shown["name"], shown["description"], shown["version"]) == ("On trial now", "On trial", 1)

    def test_delete_archives_and_then_it_is_not_there(self, api: APIClient, ben: Profile) -> None:
        put(api)
        assert api.delete(f"{SEGMENTS}trials/", {"reason": "Done"}).status_code == 204
        assert api.get(f"{SEGMENTS}trials/").status_code == 404
        assert api.patch(f"{SEGMENTS}trials/", {"name": "Back"}).status_code == 404
        assert api.delete(f"{SEGMENTS}trials/").status_code == 404
        assert api.get(f"{SEGMENTS}trials/members/").status_code == 404
        assert api.get("/api/v1/profiles/ben/explain/?segment=trials").status_code == 404
        assert api.get(SEGMENTS).json()["results"] == []
        [kept] = api.get(f"{SEGMENTS}?status=archived").json()["results"]
        assert (kept["slug"], kept["status"]) == ("trials", "archived")
        assert AuditEntry.objects.filter(kind="segment", target="trials", verb="status").exists()

    @pytest.mark.parametrize("by_post", [True, False])
    def test_what_was_deleted_comes_back_with_what_is_said_of_it_now(
        self, api: APIClient, ben: Profile, by_post: bool
    ) -> None:
        put(api, description="On trial")
        api.delete(f"{SEGMENTS}trials/")
        fields = {"definition": EVERYBODY, "reason": "Again"}
        back = api.post(SEGMENTS, {"slug": "trials"} | fields) if by_post else api.put(f"{SEGMENTS}trials/", fields)
        assert back.status_code == 201
        told = {"status": "live", "definition": EVERYBODY, "description": "", "version": 2, "size": 1}
        assert back.json().items() >= told.items()
        assert api.get(f"{SEGMENTS}trials/").status_code == 200
        assert [v["number"] for v in api.get(f"{SEGMENTS}trials/versions/").json()["results"]] == [2, 1]

    def test_what_comes_back_closes_no_circle(self, api: APIClient) -> None:
        put(api, "one")
        in_one = {"kind": "segment", "slug": "one"}
        put(api, "two", definition=in_one)
        put(api, "two", definition=TRIAL)
        put(api, "one", definition={"kind": "segment", "slug": "two"})
        api.delete(f"{SEGMENTS}one/")
        assert put(api, "two", definition=in_one).status_code == 400
        assert put(api, "one", definition={"kind": "segment", "slug": "two"}).status_code == 201

    def test_without_a_status_it_is_live(self, api: APIClient, ben: Profile) -> None:
        posted = api.post(SEGMENTS, {"slug": "by-post", "definition": TRIAL}).json()
        made = api.put(f"{SEGMENTS}by-put/", {"definition": TRIAL}).json()
        for shown in (posted, made):
            assert (shown["status"], shown["size"]) == ("live", 1)
        draft = put(api, "draft", status="draft").json()
        assert (draft["status"], draft["size"]) == ("draft", 0)
        assert put(api, "draft", status="draft", description="More").json()["status"] == "draft"
        assert api.put(f"{SEGMENTS}draft/", {"definition": EVERYBODY}).json()["status"] == "draft"
        assert api.post(f"{SEGMENTS}draft/refresh/").status_code == 409

    def test_without_a_name_it_is_called_by_its_slug_in_words(self, api: APIClient) -> None:
        assert api.post(SEGMENTS, {"slug": "on-trial_now", "definition": TRIAL}).json()["name"] == "On trial now"
        assert api.put(f"{SEGMENTS}on-trial_too/", {"definition": TRIAL}).json()["name"] == "On trial too"
        named = api.put(f"{SEGMENTS}on-trial_too/", {"definition": TRIAL, "name": "Trying"})
        assert (named.status_code, named.json()["name"]) == (200, "Trying")
        assert api.patch(f"{SEGMENTS}on-trial_too/", {"description": "x"}).json()["name"] == "Trying"

    def test_the_slug_of_the_preview_is_taken(self, api: APIClient) -> None:
        answer = api.post(SEGMENTS, {"slug": "preview", "definition": TRIAL})
        assert answer.status_code == 400
        assert [error["path"] for error in answer.json()["errors"]] == ["slug"]
        for method in (api.get, api.put, api.patch, api.delete):
            assert method(f"{SEGMENTS}preview/", {"definition": TRIAL}).status_code == 405
        assert not Segment.objects.exists()

    def test_every_definition_stays_on_record_with_its_reason(self, api: APIClient) -> None:
        put(api, reason="First")
        put(api, definition=EVERYBODY, reason="Wider")
        versions = api.get(f"{SEGMENTS}trials/versions/").json()["results"]
        assert [(v["number"], v["reason"], v["author"]) for v in versions] == [
            (2, "Wider", "key:Website"),
            (1, "First", "key:Website"),
        ]

    @pytest.mark.parametrize(
        ("fields", "path"),
        [
            ({"definition": {"all": [TRIAL, {**TRIAL, "op": "gtr"}]}}, "all[1].op"),
            ({"definition": {"kind": "nonsense"}}, "kind"),
            ({"definition": []}, "definition"),
            ({"definition": None}, "definition"),
            ({"definition": {}}, "definition"),
            ({"definition": {"kind": "segment", "slug": "nowhere"}}, "slug"),
            ({"definition": {"all": [{"not": {"kind": "segment", "slug": "nowhere"}}]}}, "all[0].not.slug"),
            ({"definition": {"all": [{**TRIAL, "value": "a\x00b"}]}}, "all[0].value"),
            ({"owner": "nobody"}, "owner"),
            ({"status": "done"}, "status"),
            ({"position": -1}, "position"),
            ({"size": 5, "swept_at": None}, "swept_at"),
            ({"name": "x" * 201}, "name"),
        ],
    )
    def test_what_cannot_be_is_400_with_its_path(self, api: APIClient, fields: dict, path: str) -> None:
        answer = put(api, **fields)
        assert answer.status_code == 400
        assert path in [error["path"] for error in answer.json()["errors"]]
        assert not Segment.objects.exists()

    def test_what_is_not_there_is_404(self, api: APIClient) -> None:
        for method in (api.get, api.patch, api.delete):
            assert method(f"{SEGMENTS}none/", {}).status_code == 404
        for below in ("members/", "versions/"):
            assert api.get(f"{SEGMENTS}none/{below}").status_code == 404
        assert api.post(f"{SEGMENTS}none/refresh/").status_code == 404


class TestMembers:
    def test_refresh_says_who_came_and_went(self, api: APIClient, ada: Profile, ben: Profile) -> None:
        put(api)
        Profile.objects.filter(pk=ada.pk).update(attributes={"plan": "trial"})
        assert api.post(f"{SEGMENTS}trials/refresh/").json() == {"entered": 1, "left": 0, "size": 2}
        Profile.objects.filter(pk=ben.pk).update(attributes={})
        assert api.post(f"{SEGMENTS}trials/refresh/").json() == {"entered": 0, "left": 1, "size": 1}

    def test_members_come_page_by_page(self, api: APIClient, person: Callable[..., Profile]) -> None:
        for n in range(5):
            person(f"p{n}")
        person()
        put(api, definition=EVERYBODY)
        seen, address = [], f"{SEGMENTS}trials/members/?limit=2"
        while address:
            page = api.get(address).json()
            seen += [member["external_id"] for member in page["results"]]
            assert all(member["entered_at"] for member in page["results"])
            address = page["next"]
        assert sorted(seen) == [f"p{n}" for n in range(5)]

    def test_a_persons_segments_are_told(self, api: APIClient, ben: Profile) -> None:
        put(api)
        [told] = api.get("/api/v1/profiles/ben/segments/").json()["results"]
        assert (told["slug"], told["name"]) == ("trials", "Trials")

    def test_a_segment_filled_by_hand_is_filled(self, api: APIClient, ada: Profile, ben: Profile) -> None:
        assert put(api, kind="static", definition=None).status_code == 400
        api.put(f"{SEGMENTS}beta/", {"name": "Beta", "kind": "static", "status": "live"})
        members = f"{SEGMENTS}beta/members/"
        assert api.post(members, {"add": ["ada", "ben"]}).json() == {"entered": 2, "left": 0}
        assert api.post(members, {"add": ["ada"], "remove": ["ben"]}).json() == {"entered": 0, "left": 1}
        assert [m["external_id"] for m in api.get(members).json()["results"]] == ["ada"]
        unknown = api.post(members, {"add": ["ada", "nobody"]})
        assert [e["path"] for e in unknown.json()["errors"]] == ["add[1]"]
        put(api)
        assert api.post(f"{SEGMENTS}trials/members/", {"add": ["ada"]}).status_code == 409


class TestPreview:
    def _ask(self, api: APIClient, **body: object):
        return api.post(f"{SEGMENTS}preview/", {"definition": EVERYBODY} | body)

    def test_it_tells_who_would_be_in_it(self, api: APIClient, ada: Profile, ben: Profile, cleo: Profile) -> None:
        told = self._ask(api)
        assert told.status_code == 200
        assert told.json().items() >= {"count": 2, "members": ["ada", "ben"], "anonymous": 1, "as_of_now": []}.items()
        assert told.json()["sentence"]
        assert self._ask(api, definition=TRIAL).json()["members"] == ["ben"]
        assert self._ask(api, limit=1).json()["members"] == ["ada"]
        assert self._ask(api, definition=TRIAL, at="2026-01-01T00:00:00Z").json()["as_of_now"] == [""]
        nested = {"all": [{"not": TRIAL}, {"kind": "event", "name": "x"}]}
        assert self._ask(api, definition=nested).json()["as_of_now"] == ["all[0].not"]

    def test_a_moment_without_a_zone_is_in_the_projects(self, api: APIClient, ada: Profile, settings: Any) -> None:
        settings.PROJECT_TIME_ZONE = "Europe/Vienna"
        did = Ours(ada.id, "$task_done", {}, datetime(2026, 11, 19, 23, 30, tzinfo=UTC), "m-1")
        emit([did], now=datetime(2026, 11, 24, tzinfo=UTC))
        asked = {"kind": "event", "name": "$task_done"}
        for at, count in {
            "2026-11-20": 0,
            "2026-11-20T00:29:59": 0,
            "2026-11-20T00:30": 1,
            "2026-11-19T23:30Z": 1,
        }.items():
            assert self._ask(api, definition=asked, at=at).json()["count"] == count, at

    def test_it_changes_nothing_so_reading_is_enough(self, ada: Profile) -> None:
        assert self._ask(client_with("segments:read")).status_code == 200
        assert not Segment.objects.exists()

    @pytest.mark.parametrize(
        ("body", "path"),
        [
            (
                {"definition": {"all": [{"kind": "event", "name": "x", "count": {"op": "gtr", "value": 1}}]}},
                "all[0].count.op",
            ),
            ({"definition": {"any": [TRIAL, {"kind": "segment", "slug": "nowhere"}]}}, "any[1].slug"),
            ({"definition": {"kind": "segment", "slug": "nowhere"}}, "slug"),
            ({"definition": {"any": [{**TRIAL, "value": "a\x00b"}]}}, "any[0].value"),
            ({"definition": {}}, "definition"),
            ({"definition": None}, "definition"),
            ({"definition": "everybody"}, "definition"),
            ({"limit": 10_001}, "limit"),
            ({"limit": "many"}, "limit"),
            ({"at": "soon"}, "at"),
            ({"of": 1}, "of"),
        ],
    )
    def test_what_cannot_be_asked_is_400_with_its_path(self, api: APIClient, body: dict, path: str) -> None:
        answer = self._ask(api, **body)
        assert answer.status_code == 400
        assert path in [error["path"] for error in answer.json()["errors"]]


def test_a_question_that_takes_too_long_is_answered_with_a_sentence(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segments.api._SECONDS", 0.2)
    api = client_with()
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("LOCK TABLE profiles_profile IN ACCESS EXCLUSIVE MODE")
        answer = api.post(f"{SEGMENTS}preview/", {"definition": EVERYBODY})
        assert answer.status_code == 503
        assert "longer than one request may" in answer.json()["detail"]
        other.rollback()
    assert api.post(f"{SEGMENTS}preview/", {"definition": EVERYBODY}).status_code == 200


class TestExplaining:
    def test_it_says_why_part_by_part(self, api: APIClient, ada: Profile, ben: Profile, now: datetime) -> None:
        put(api, definition={"all": [TRIAL]})
        told = api.get("/api/v1/profiles/ben/explain/?segment=trials").json()
        assert told["holds"] is True
        assert told["findings"][1]["path"] == "all[0]"
        assert "trial" in told["findings"][1]["sentence"]
        assert api.get("/api/v1/profiles/ada/explain/?segment=trials").json()["holds"] is False
        assert api.get("/api/v1/profiles/ada/explain/?segment=none").status_code == 404
        assert api.get("/api/v1/profiles/ada/explain/").status_code == 400
