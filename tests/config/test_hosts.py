"""Two names: customers' pages under the one, the admin and the API under the other (TR-06)."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from config import environment
from consent import links
from profiles.models import Profile
from staff.models import User

ADMIN, PUBLIC = "admin.example.com", "hello.example.com"


@pytest.fixture
def apart(settings: Any) -> None:
    settings.BASE_URL, settings.ADMIN_URL = f"https://{PUBLIC}", f"https://{ADMIN}"
    settings.ALLOWED_HOSTS = [ADMIN, PUBLIC, "127.0.0.1"]
    settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME = "__Host-session", "__Host-csrf"
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True


@pytest.mark.parametrize("path", ["/admin/", "/admin/login/", "/admin/messaging/template/", "/api/v1/templates/", "/api/docs/"])  # fmt: skip # noqa: E501
def test_tr_06_under_the_public_name_there_is_no_admin_and_no_api(apart: None, db: None, path: str) -> None:
    at_admin = Client(headers={"host": ADMIN}).get(path, secure=True)
    assert at_admin.status_code in (200, 302, 401)
    assert Client(headers={"host": f"{ADMIN}:443"}).get(path, secure=True).status_code == at_admin.status_code
    for host in (PUBLIC, f"{PUBLIC}:443", "127.0.0.1"):
        answer = Client(headers={"host": host}).get(path, secure=True)
        assert (answer.status_code, answer.cookies) == (404, {}), host


def test_tr_06_staff_sign_in_under_the_other_name_and_their_cookies_stay_there(apart: None, ada: Profile, now: Any) -> None:  # fmt: skip # noqa: E501
    User.objects.create_superuser("root", email="r@example.com", password="stone-on-stone-9")
    staff = Client(headers={"host": ADMIN}, enforce_csrf_checks=True)
    staff.get("/admin/login/", secure=True)
    sent = {
        "username": "root",
        "password": "stone-on-stone-9",
        "csrfmiddlewaretoken": staff.cookies["__Host-csrf"].value,
    }
    answer = staff.post("/admin/login/?next=/admin/", sent, secure=True, headers={"referer": f"https://{ADMIN}/"})
    assert answer.status_code == 302
    for name in ("__Host-session", "__Host-csrf"):
        cookie = answer.cookies[name]
        assert (cookie["secure"], cookie["httponly"], cookie["domain"], cookie["path"]) == (True, True, "", "/")
        assert cookie["samesite"] in ("Lax", "Strict")
    # A browser keeps such a cookie to its host; even where one were sent, the public name does not know the admin.
    customers = Client(headers={"host": PUBLIC})
    customers.cookies = staff.cookies
    assert customers.get("/admin/", secure=True).status_code == 404
    address = links.preferences_url(ada, now)
    assert address.startswith(f"https://{PUBLIC}/preferences/")
    for host in (PUBLIC, ADMIN):
        page = Client(headers={"host": host}).get(address.removeprefix(f"https://{PUBLIC}"), secure=True)
        assert (page.status_code, page.cookies) == (200, {})
    assert customers.get("/healthz", secure=True).status_code == 200


def test_without_another_name_everything_is_under_the_one(db: None) -> None:
    assert Client().get("/admin/login/").status_code == 200


def test_tr_06_the_other_name_must_be_another(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.apart("UNSET", "https://crm.example.com") == ""
    monkeypatch.setenv("IT", "https://admin.example.com/")
    assert environment.apart("IT", "https://crm.example.com") == "https://admin.example.com"
    with pytest.raises(ImproperlyConfigured, match="cookies know no ports"):
        environment.apart("IT", "https://admin.example.com:8443")
    with pytest.raises(ImproperlyConfigured, match="the same scheme"):
        environment.apart("IT", "http://crm.example.com")
