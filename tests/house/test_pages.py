import re
from pathlib import Path

import pytest
from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.test import RequestFactory

from staff.models import User
from tests.house.looking import APPS, BASE

# What a browser loads by itself; a link that a person clicks may lead anywhere.
_LOADED = re.compile(
    r"""<(?:script|link|img|iframe|source|video|audio|embed|object|use)\b[^>]*?\b(?:src|href|data|srcset)\s*=\s*["']?\s*(?:https?:)?//"""
    r"""|url\(\s*["']?\s*(?:https?:)?//|@import\s+["'](?:https?:)?//|\b(?:fetch|import)\s*\(?\s*["'`](?:https?:)?//""",
    re.IGNORECASE,
)


def _files() -> list[Path]:
    folders = [BASE / "templates", BASE / "static", *(BASE / app for app in APPS)]
    kinds = {".html", ".css", ".js", ".svg", ".mjml", ".txt", ".liquid"}
    return [path for folder in folders for path in sorted(folder.rglob("*")) if path.suffix in kinds]


def test_what_is_looked_for_would_be_found() -> None:
    for bad in (
        '<script defer src="https://cdn.example.com/x.js">',
        "<link rel=stylesheet href='//fonts.example.com/x.css'>",
        "@import 'https://x.example/y.css'",
        "background: url( http://x.example/y.png )",
        "fetch(`https://x.example/`)",
    ):
        assert _LOADED.search(bad), bad
    for good in ('<a href="https://example.com">', '<script src="{% static "x.js" %}">', "url(/static/x.png)"):
        assert not _LOADED.search(good), good


def test_nothing_is_loaded_from_another_host() -> None:
    files = _files()
    assert len(files) > 10
    found = [f"{path.relative_to(BASE)}: {hit[0]}" for path in files for hit in _LOADED.finditer(path.read_text())]
    assert found == []


def _screens() -> list[ModelAdmin]:
    admin.autodiscover()
    return [screen for model, screen in admin.site._registry.items() if model._meta.app_config.name in APPS]


@pytest.mark.django_db
def test_AZ01_no_screen_opens_to_staff_without_its_permission(rf: RequestFactory) -> None:
    nobody = User(username="new", is_staff=True, is_active=True)
    nobody.set_unusable_password()
    nobody.save()
    request = rf.get("/admin/")
    request.user = nobody
    screens = _screens()
    assert len(screens) > 5
    for screen in screens:
        open_to_all = [
            verb
            for verb in ("view", "add", "change", "delete", "module")
            if getattr(screen, f"has_{verb}_permission")(request)
        ]
        assert open_to_all == [], f"{screen}: {open_to_all}"


def test_every_screen_is_on_the_menu() -> None:
    from config.admin import _MENU

    listed = {name for _, items in _MENU for _, _, name in items}
    registered = {f"{screen.opts.app_label}_{screen.opts.model_name}" for screen in _screens()}
    assert registered - listed == set()
