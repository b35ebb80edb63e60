"""What holds at every address, shown on a small resource over teams."""

import itertools
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import Http404
from django.urls import include, path, re_path
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.test import APIClient

from config.rest import nothing_here
from foundation import clock
from foundation.errors import Conflict, Invalid, Problem
from foundation.rest import Fields, JSONObject, Text, bounded
from staff import actors, audit, idempotency, keys
from staff.models import AuditEntry, IdempotentAnswer, Key, Team
from staff.rest import Resource
from tests.api.conftest import client_with, send_raw


class TeamFields(Fields):
    slug = serializers.SlugField()
    name = Text()
    details = JSONObject(required=False)


class TeamFilters(Fields):
    name = Text(required=False)


class TeamView(ListModelMixin, RetrieveModelMixin, Resource):
    scope = "tasks"
    queryset = Team.objects.all()
    serializer_class = TeamFields
    lookup_field = "slug"
    order = ("slug",)
    filters = TeamFilters
    asks = ("ask",)
    meanwhile: Callable[[], None] | None = None

    def narrowed(self, queryset, **asked):
        return queryset.filter(**asked)

    def create(self, request):
        values = self.taken()
        audit.record("create", "team", values["slug"], "Made a team")
        team = Team.objects.create(slug=values["slug"], name=values["name"])
        if TeamView.meanwhile:
            TeamView.meanwhile()
        raised = {
            "conflict": Conflict("There is one already."),
            "broken": RuntimeError("The secret is swordfish."),
            "invalid": Invalid([Problem("all[1].count.op", "There is no operator 'gtr'.")]),
            "missing": Http404("Nobody is called so."),
            "forbidden": PermissionDenied(),
        }.get(team.name)
        if raised:
            raise raised
        return self.shown(team, 201)

    @action(detail=False, methods=["post"])
    def ask(self, request):
        return Response({"actor": actors.current()})

    @action(detail=False)
    def slow(self, request):
        with bounded(0.05), connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(5)")
        return Response({})


router = SimpleRouter()
router.register("teams", TeamView, "teams")
urlpatterns = [path("api/v1/", include(router.urls)), re_path("api/", nothing_here)]
pytestmark = pytest.mark.urls(__name__)
TEAMS = "/api/v1/teams/"


def _team(n: int) -> Team:
    return Team.objects.create(slug=f"team-{n:03}", name=f"Team {n}")


class TestWhoAsks:
    def test_nobody_is_told_how_to_be_somebody(self, db: None) -> None:
        answer = APIClient().get(TEAMS)
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"] == "Bearer"
        assert answer["Content-Type"] == "application/problem+json"

    @pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Basic abc", "Bearer \xff", "Bearer nobody", "ck_live_x"])
    def test_what_is_no_key_is_refused(self, db: None, header: str) -> None:
        answer = APIClient().get(TEAMS, HTTP_AUTHORIZATION=header)
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")

    @pytest.mark.parametrize("kind", [Key.Kind.SERVER, Key.Kind.BROWSER])
    def test_AZ05_write_keys_read_nothing(self, db: None, kind: Key.Kind) -> None:
        _, secret = keys.create("A", kind=kind, now=clock.now())
        for method in ("get", "post", "put", "patch", "delete"):
            answer = getattr(APIClient(), method)(TEAMS, HTTP_AUTHORIZATION=f"Bearer {secret}")
            assert answer.status_code == 401, method
            assert "reads nothing" in answer.json()["detail"]

    def test_revoked_and_expired_keys_are_refused(self, db: None) -> None:
        now = clock.now()
        revoked, secret = keys.create("A", kind=Key.Kind.SECRET, scopes=["all"], now=now)
        keys.revoke(revoked, now=now)
        assert APIClient().get(TEAMS, HTTP_AUTHORIZATION=f"Bearer {secret}").status_code == 401
        long_ago = now - timedelta(days=2)
        expired = client_with("all", expires_at=now - timedelta(days=1), now=long_ago)
        assert expired.get(TEAMS).status_code == 401

    @pytest.mark.parametrize(
        ("scopes", "may_read", "may_write"),
        [
            (["all"], True, True),
            (["tasks:read"], True, False),
            (["tasks:write"], True, True),
            (["topics:write", "segments:read"], False, False),
        ],
    )
    def test_scopes_say_what_a_key_may(self, db: None, scopes: list[str], may_read: bool, may_write: bool) -> None:
        client = client_with(*scopes)
        team = {"slug": "a", "name": "A"}
        assert client.get(TEAMS).status_code == (200 if may_read else 403)
        assert client.post(f"{TEAMS}ask/").status_code == (200 if may_read else 403)
        answer = client.post(TEAMS, team)
        assert answer.status_code == (201 if may_write else 403)
        if not may_write:
            assert answer.json()["detail"] == "This key lacks the scope tasks:write."

    def test_the_key_is_the_one_who_acts(self, api: APIClient) -> None:
        api.post(TEAMS, {"slug": "a", "name": "A"})
        assert AuditEntry.objects.get(kind="team").actor == "key:Website"
        assert actors.current() == "system"

    def test_RL01_a_key_over_its_limit_is_told_when_to_come_back(self, db: None) -> None:
        client = client_with(rate_per_minute=2)
        assert [client.get(TEAMS).status_code for _ in range(3)] == [200, 200, 429]
        answer = client.get(TEAMS)
        assert 1 <= int(answer["Retry-After"]) <= 30
        assert answer["Content-Type"] == "application/problem+json"


class TestProblems:
    def _about(self, answer, status: int) -> dict:
        assert answer.status_code == status
        assert answer["Content-Type"] == "application/problem+json"
        body: dict[str, Any] = answer.json()
        assert body["status"] == status
        assert {"type", "title", "status", "detail"} <= body.keys()
        assert body["detail"]
        return body

    @pytest.mark.parametrize(
        ("name", "status", "detail"),
        [
            ("conflict", 409, "There is one already."),
            ("missing", 404, "Nobody is called so."),
            ("forbidden", 403, "This is not allowed."),
            ("invalid", 400, "all[1].count.op: There is no operator 'gtr'."),
        ],
    )
    def test_refusals_explain_themselves(self, api: APIClient, name: str, status: int, detail: str) -> None:
        body = self._about(api.post(TEAMS, {"slug": "a", "name": name}), status)
        assert body["detail"] == detail

    def test_what_is_invalid_says_where(self, api: APIClient) -> None:
        body = self._about(api.post(TEAMS, {"slug": "a", "name": "invalid"}), 400)
        assert body["errors"] == [{"path": "all[1].count.op", "reason": "There is no operator 'gtr'."}]

    def test_fields_say_what_is_wrong_with_each(self, api: APIClient) -> None:
        body = self._about(api.post(TEAMS, {"slug": "a b", "name": 5, "details": []}), 400)
        assert {error["path"] for error in body["errors"]} == {"slug", "name", "details"}

    def test_an_unknown_field_is_refused_by_name(self, api: APIClient) -> None:
        body = self._about(api.post(TEAMS, {"slug": "a", "name": "A", "members": [1], "id": 7}), 400)
        assert [error["path"] for error in body["errors"]] == ["members", "id"]
        assert not Team.objects.exists()

    def test_what_breaks_inside_stays_inside(self, api: APIClient, caplog) -> None:
        body = self._about(api.post(TEAMS, {"slug": "a", "name": "broken"}), 500)
        assert "swordfish" not in json.dumps(body)
        assert "swordfish" in caplog.text

    def test_a_question_that_takes_too_long_is_no_error_of_ours(self, api: APIClient) -> None:
        answer = api.get(f"{TEAMS}slow/")
        assert "longer than one request may" in self._about(answer, 503)["detail"]
        assert answer["Retry-After"] == "1"

    @pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options"])
    def test_an_address_that_is_none_says_so(self, db: None, method: str) -> None:
        client = APIClient(enforce_csrf_checks=True)
        assert "/api/v1/nowhere/" in self._about(getattr(client, method)("/api/v1/nowhere/"), 404)["detail"]
        assert "end with a slash" in self._about(getattr(client, method)("/api/v1/teams"), 404)["detail"]

    def test_a_method_that_is_none_says_which_there_are(self, api: APIClient) -> None:
        answer = api.delete(TEAMS)
        self._about(answer, 405)
        assert answer["Allow"] == "GET, HEAD, POST"

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"{",
            b"\xff",
            b"nonsense",
            b"[]",
            b"5",
            b'"text"',
            b"null",
            b"true",
            b'{"slug": "a", "name": "a\\u0000b"}',
            b'{"slug": "a", "name": "\\ud800"}',
            b'{"slug": "a", "name": "A", "details": {"n": NaN}}',
            b'{"slug": "a", "name": "A", "details": {"n": 1e400}}',
            b'{"slug": "a", "name": "A", "details": {"n": ' + b"9" * 5_000 + b"}}",
            b'{"slug": "a", "name": "A", "details": {"n": 1, "n": 2}}',
            b'{"slug": "a", "name": "A", "details": ' + b'{"a":' * 20_000 + b"1" + b"}" * 20_000 + b"}",
            b'{"slug": "a", "name": "A", "details": {"k": "' + b"x" * 9_000 + b'"}}',
        ],
    )
    def test_JS01_bodies_that_cannot_be_kept_are_400(self, api: APIClient, raw: bytes) -> None:
        body = self._about(send_raw(api, "POST", TEAMS, raw), 400)
        assert body["errors"]
        assert not Team.objects.exists()

    def test_JS01_a_value_that_cannot_be_kept_is_named_by_its_path(self, api: APIClient) -> None:
        raw = b'{"slug": "a", "name": "A", "details": {"list": [1, {"x": "\\u0000"}]}}'
        body = self._about(send_raw(api, "POST", TEAMS, raw), 400)
        assert [error["path"] for error in body["errors"]] == ["details.list[1].x"]

    def test_a_body_that_is_no_JSON_is_415(self, api: APIClient) -> None:
        self._about(send_raw(api, "POST", TEAMS, b"slug=a", "application/x-www-form-urlencoded"), 415)

    def test_a_body_too_large_is_413(self, api: APIClient) -> None:
        raw = json.dumps({"slug": "a", "name": "x" * 1_000_001}).encode()
        self._about(send_raw(api, "POST", TEAMS, raw), 413)

    @pytest.mark.parametrize("address", ["%00/", "?name=%00", "?cursor=%00", "?%00=1", "?limit=%00"])
    def test_JS01_a_nul_in_an_address_is_refused(self, api: APIClient, address: str) -> None:
        assert api.get(TEAMS + address).status_code in (400, 404)


class TestPages:
    def _walk(self, api: APIClient, address: str, meanwhile: Callable[[], object] = lambda: None) -> list[str]:
        seen: list[str] = []
        while address:
            page = api.get(address).json()
            seen += [row["slug"] for row in page["results"]]
            meanwhile()
            address = page["next"]
        return seen

    def test_each_row_comes_once_and_the_last_page_says_so(self, api: APIClient) -> None:
        teams = [_team(n).slug for n in range(7)]
        assert self._walk(api, f"{TEAMS}?limit=3") == teams
        assert api.get(f"{TEAMS}?limit=7").json()["next"] is None
        assert api.get(TEAMS).json()["next"] is None

    def test_rows_added_meanwhile_move_none(self, api: APIClient) -> None:
        teams = [_team(n).slug for n in range(10, 20)]
        early = itertools.count()
        seen = self._walk(api, f"{TEAMS}?limit=2", lambda: _team(next(early)))
        assert seen == teams

    def test_filters_hold_on_every_page(self, api: APIClient) -> None:
        for n in range(6):
            Team.objects.create(slug=f"t{n}", name="odd" if n % 2 else "even")
        assert self._walk(api, f"{TEAMS}?limit=2&name=odd") == ["t1", "t3", "t5"]

    @pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=-1", "limit=x", "limit=٣", "limit=", "cursor=x"])
    def test_a_page_that_makes_no_sense_is_400(self, api: APIClient, query: str) -> None:
        answer = api.get(f"{TEAMS}?{query}")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["path"] == query.split("=")[0]

    def test_filters_that_are_none_are_refused_and_not_passed_over(self, api: APIClient) -> None:
        answer = api.get(f"{TEAMS}?nmae=A&name=A&name=B")
        assert {error["path"] for error in answer.json()["errors"]} == {"nmae", "name"}


class TestRepeating:
    def _post(self, client: APIClient, key: str, **team: str):
        return client.post(TEAMS, {"slug": "a", "name": "A"} | team, HTTP_IDEMPOTENCY_KEY=key)

    def test_the_same_key_and_body_get_the_same_answer_and_nothing_twice(self, api: APIClient) -> None:
        first, second = self._post(api, "k"), self._post(api, "k")
        assert (first.status_code, first.json()) == (second.status_code, second.json()) == (201, first.json())
        assert second["Idempotent-Replayed"] == "true"
        assert Team.objects.count() == AuditEntry.objects.filter(kind="team").count() == 1

    def test_a_refusal_is_an_answer_too(self, api: APIClient) -> None:
        first, second = self._post(api, "k", name="conflict"), self._post(api, "k", name="conflict")
        assert first.status_code == second.status_code == 409
        assert second["Content-Type"] == "application/problem+json"
        assert (first.json(), second["Idempotent-Replayed"]) == (second.json(), "true")

    def test_the_same_key_for_another_body_is_409(self, api: APIClient) -> None:
        self._post(api, "k")
        answer = self._post(api, "k", slug="b")
        assert answer.status_code == 409
        assert "used for another request" in answer.json()["detail"]
        assert Team.objects.count() == 1

    def test_a_key_belongs_to_who_sent_it(self, api: APIClient) -> None:
        self._post(api, "k")
        assert self._post(client_with(name="Other"), "k", slug="b").status_code == 201

    def test_a_write_that_broke_leaves_nothing_and_may_be_tried_again(self, api: APIClient) -> None:
        assert self._post(api, "k", name="broken").status_code == 500
        assert not Team.objects.exists()
        assert not IdempotentAnswer.objects.exists()

    def test_without_a_key_or_in_a_question_nothing_is_kept(self, api: APIClient) -> None:
        api.post(TEAMS, {"slug": "a", "name": "A"})
        api.get(TEAMS, HTTP_IDEMPOTENCY_KEY="k")
        api.post(f"{TEAMS}ask/", HTTP_IDEMPOTENCY_KEY="k")
        assert not IdempotentAnswer.objects.exists()

    @pytest.mark.parametrize("key", ["x" * 256, "ü"])
    def test_a_key_that_is_none_is_refused(self, api: APIClient, key: str) -> None:
        answer = self._post(api, key)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["path"] == "Idempotency-Key"

    def test_answers_are_forgotten_after_a_day(self, api: APIClient) -> None:
        self._post(api, "k")
        now = clock.now()
        assert idempotency.forget(now + timedelta(hours=23)) == 0
        assert idempotency.forget(now + timedelta(hours=25)) == 1
        assert idempotency.forget(now + timedelta(hours=25)) == 0


def test_of_two_repeats_at_once_one_writes_and_the_other_is_told_to_wait(
    transactional_db: None, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_with()
    arrived, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        arrived.set()
        assert go_on.wait(10)

    monkeypatch.setattr(TeamView, "meanwhile", staticmethod(wait))
    key = str(uuid4())

    def post() -> int:
        try:
            return client.post(TEAMS, {"slug": "a", "name": "A"}, HTTP_IDEMPOTENCY_KEY=key).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(post)
        assert arrived.wait(10)
        try:
            repeated = client.post(TEAMS, {"slug": "a", "name": "A"}, HTTP_IDEMPOTENCY_KEY=key)
        finally:
            go_on.set()
        assert first.result(10) == 201
    assert repeated.status_code == 409
    assert "under way" in repeated.json()["detail"]
    assert Team.objects.count() == 1


class TestBodies:
    """A body may come without its length; one that does not come empties nothing."""

    TEAM = b'{"slug": "a", "name": "A"}'

    def _post(self, api: APIClient, raw: bytes, **environ: Any) -> Any:
        way: dict[str, Any] = {"wsgi.input": BytesIO(raw), **environ}
        return api.generic("POST", TEAMS, content_type="application/json", **way)

    @pytest.mark.parametrize("environ", [{"HTTP_TRANSFER_ENCODING": "chunked"}, {}])
    def test_a_body_in_chunks_is_read_whole_and_repeatable(self, api: APIClient, environ: dict[str, Any]) -> None:
        way = {"wsgi.input_terminated": True, "HTTP_IDEMPOTENCY_KEY": "k", **environ}
        assert [self._post(api, self.TEAM, **way).status_code for _ in range(2)] == [201, 201]
        assert Team.objects.get().name == "A"
        assert self._post(api, self.TEAM.replace(b"A", b"B"), **way).status_code == 409

    def test_a_body_in_chunks_that_is_too_large_is_413(self, api: APIClient) -> None:
        answer = self._post(api, b" " * 1_000_001, HTTP_TRANSFER_ENCODING="chunked", **{"wsgi.input_terminated": True})
        assert answer.status_code == 413

    def test_chunks_that_cannot_be_read_are_411_with_what_to_do(self, api: APIClient) -> None:
        answer = self._post(api, self.TEAM, HTTP_TRANSFER_ENCODING="chunked")
        assert answer.status_code == 411
        assert "Content-Length" in answer.json()["detail"]
        assert answer.json()["title"] == "Length Required"
