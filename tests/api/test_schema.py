"""The API describes itself, and does what it says of itself."""

import json
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
from django.apps import apps
from django.contrib.admindocs.views import simplify_regex
from django.test import Client
from django.urls import URLPattern
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from rest_framework import serializers
from rest_framework.test import APIClient

from config import api as composed
from staff import keys, roles, scopes
from staff.authentication import BearerKey, HasScope
from staff.models import Key, User
from staff.rest import Resource
from tests.api.conftest import client_with, send_raw

BODIES = (b"{", b"[]", b"null", b'"x"', b"5", b'{"definition": {"all": [7]}}', b'{"a": "\\u0000"}', b"\xff\xfe")
SNAPSHOT = Path(__file__).parent / "operations.txt"


@cache
def schema() -> dict[str, Any]:
    GENERATOR_STATS.reset()
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return made


def operations() -> list[tuple[str, str]]:
    return [(method, path) for path, item in schema()["paths"].items() for method in item]


def views() -> list[tuple[URLPattern, type[Resource], str, str]]:
    """Each route's pattern, view, method and action."""
    routes = [(pattern, cast(Any, pattern.callback)) for pattern in composed.router.urls]
    return [
        (cast(URLPattern, pattern), view.cls, method, action)
        for pattern, view in routes
        for method, action in view.actions.items()
        if method != "head"
    ]


def _template(pattern: URLPattern) -> str:
    path = str(simplify_regex(pattern.pattern.regex.pattern)).replace("<", "{").replace(">", "}")
    return f"/api/v1{path}".replace("{pk}", "{id}")


SCOPES = {(method, _template(pattern)): view.scope for pattern, view, method, _ in views()}


def _address(path: str) -> str:
    return path.replace("{id}", "00000000-0000-4000-8000-000000000000").replace("{", "").replace("}", "")


def test_the_schema_is_valid_openapi_31_and_made_without_a_warning() -> None:
    made = schema()
    validate_schema(made)
    assert made["openapi"].startswith("3.1")
    assert not GENERATOR_STATS, [str(each) for each in GENERATOR_STATS._warn_cache]


def test_it_is_served_to_whoever_asks(db: None, client: Client) -> None:
    answer = client.get("/api/schema/")
    assert answer.status_code == 200
    assert json.loads(answer.content)["openapi"].startswith("3.1")


def test_the_pages_need_nothing_from_outside_and_run_nothing_inline(db: None, client: Client) -> None:
    page = client.get("/api/docs/")
    text = page.content.decode()
    assert page.status_code == 200
    assert "http://" not in text
    assert "https://" not in text
    assert "<script>" not in text
    assert "script-src 'self';" in page["Content-Security-Policy"] + ";"
    assert client.get("/api/docs/?script=").status_code == 200


def test_every_route_is_in_the_schema() -> None:
    assert len(operations()) == len(views())


def test_the_operations_are_those_that_integrators_know() -> None:
    """An address that vanishes breaks programs; one that comes is written down: delete the file to write it anew."""
    said = "".join(f"{method.upper()} {path}\n" for method, path in sorted(operations(), key=lambda each: each[::-1]))
    if not SNAPSHOT.exists():
        SNAPSHOT.write_text(said)
    assert said == SNAPSHOT.read_text()


def test_every_operation_tells_of_problems_and_writes_may_be_repeated() -> None:
    for path, item in schema()["paths"].items():
        for method, operation in item.items():
            assert "application/problem+json" in operation["responses"]["default"]["content"], (method, path)
            headers = {each["name"] for each in operation.get("parameters", []) if each["in"] == "header"}
            assert headers <= {"Idempotency-Key"}
            if method in ("put", "patch", "delete"):
                assert headers == {"Idempotency-Key"}, (method, path)


def test_AZ03_every_field_is_named_by_hand() -> None:
    def below(cls: type) -> set[type]:
        subclasses: list[type] = cls.__subclasses__()
        return {cls}.union(*(below(sub) for sub in subclasses))

    ours = [cls for cls in below(serializers.BaseSerializer) if ".api" in cls.__module__]
    assert ours
    for cls in ours:
        assert not issubclass(cls, serializers.ModelSerializer) or isinstance(cls.Meta.fields, tuple | list), cls
        assert getattr(getattr(cls, "Meta", None), "exclude", None) is None, cls


@pytest.mark.parametrize(("method", "path"), [each for each in operations() if each[0] in ("post", "put", "patch")])
def test_AZ03_fields_of_models_that_are_not_documented_are_refused(db: None, method: str, path: str) -> None:
    api = client_with()
    body = schema()["paths"][path][method].get("requestBody")
    if body is None:
        return
    named = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    documented = schema()["components"]["schemas"][named]["properties"].keys()
    for app in roles.APPS:
        for model in apps.get_app_config(app).get_models():
            sent = {field.name: 1 for field in model._meta.get_fields() if field.name not in documented}
            assert getattr(api, method)(_address(path), sent).status_code in (400, 404, 409), model


def test_every_view_names_a_scope_that_exists_and_stands_behind_the_same_door() -> None:
    for _, view, _, _ in views():
        assert view.scope in scopes.RESOURCES, view
        assert issubclass(view, Resource), view
        assert view.authentication_classes == [BearerKey], view
        assert view.permission_classes == [HasScope], view


class TestAccess:
    """AZ-01: every route, with every kind of key that may not."""

    @pytest.mark.parametrize(("method", "path"), operations())
    def test_AZ01_nobody_writes_and_nobody_reads_without_a_key(self, db: None, method: str, path: str) -> None:
        root = User.objects.create_superuser("root", password="stone-on-stone-9")
        signed_in = APIClient()
        signed_in.force_login(root)
        assert getattr(signed_in, method)(_address(path)).status_code == 401

    @pytest.mark.parametrize(("method", "path"), operations())
    def test_AZ05_write_keys_are_refused(self, db: None, now, method: str, path: str) -> None:
        for kind in (Key.Kind.SERVER, Key.Kind.BROWSER):
            _, secret = keys.create("A", kind=kind, now=now)
            answer = getattr(APIClient(), method)(_address(path), HTTP_AUTHORIZATION=f"Bearer {secret}")
            assert answer.status_code == 401

    @pytest.mark.parametrize(("method", "path"), operations())
    def test_AZ01_a_key_does_what_its_scopes_say_and_no_more(self, db: None, method: str, path: str) -> None:
        resource = SCOPES[method, path]
        reads = method == "get" or path.endswith(("/preview/", "/simulate/", "/backtest/"))

        def is_let_in(*held: str) -> bool:
            return getattr(client_with(*held), method)(_address(path), {}).status_code not in (401, 403)

        assert is_let_in(scopes.ALL)
        assert is_let_in(f"{resource}:write")
        assert is_let_in(f"{resource}:read") == reads
        assert not is_let_in(
            *(scope for scope in scopes.KNOWN if scope.partition(":")[0] not in (resource, scopes.ALL))
        )

    @pytest.mark.parametrize(("method", "path"), operations())
    def test_JS01_no_body_whatever_breaks_a_route(self, db: None, method: str, path: str) -> None:
        client = client_with()
        for raw in BODIES:
            answer = send_raw(client, method.upper(), _address(path), raw)
            assert answer.status_code < 500, raw
            assert answer.status_code < 400 or answer["Content-Type"] == "application/problem+json"
