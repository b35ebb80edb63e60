"""The table of roles, and that every screen keeps to it: all made from the table and from what is registered."""

from itertools import product
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from staff import roles
from staff.models import User

pytestmark = pytest.mark.django_db
SCREENS = sorted((model for model in admin.site._registry), key=lambda model: model._meta.label)


def _label(model: type[Model]) -> str:
    return model._meta.label_lower


@pytest.fixture
def staff_of(db: None):
    def make(role: str) -> Client:
        user = User.objects.create_user(role.replace(" ", "-"), is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client = Client()
        client.force_login(user)
        return client

    return make


def test_AU02_no_model_of_ours_is_forgotten() -> None:
    named = {model for role in roles.TABLE for model in roles.TABLE[role]} | roles.OWNERS_ALONE.keys()
    models = {_label(model) for app in roles.APPS for model in apps.get_app_config(app).get_models()}
    forgotten = (models | {_label(model) for model in SCREENS}) - named
    assert not forgotten, f"name these in staff/roles.py: in TABLE, or in OWNERS_ALONE with the reason: {forgotten}"


def test_AU02_the_table_names_nothing_that_does_not_exist() -> None:
    named = {model for role in roles.TABLE for model in roles.TABLE[role]} | roles.OWNERS_ALONE.keys()
    assert [label for label in named if not roles._exists(label)] == []
    there = {f"{p.content_type.app_label}.{p.codename}" for p in Permission.objects.select_related("content_type")}
    assert [name for role in roles.TABLE for name in roles.permissions(role) if name not in there] == []


def test_every_permission_that_a_model_declares_is_given_to_somebody_but_the_owner() -> None:
    declared = {
        f"{model._meta.app_label}.{name}"
        for app in roles.APPS
        for model in apps.get_app_config(app).get_models()
        for name, _ in model._meta.permissions
    }
    assert declared - {name for role in roles.TABLE if role != roles.OWNER for name in roles.permissions(role)} == set()


@pytest.mark.parametrize("role", roles.TABLE)
def test_each_group_has_just_what_the_table_says(role: str) -> None:
    user = User.objects.create_user("ada", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    assert user.get_all_permissions() == roles.permissions(role)


def test_AU02_what_stands_alone_is_the_owners_alone() -> None:
    for role, label in product(roles.TABLE, roles.OWNERS_ALONE):
        if role != roles.OWNER:
            assert label not in roles.may(role)


def test_only_the_owner_makes_staff_and_roles() -> None:
    for role in roles.TABLE:
        makes = {"staff.change_user", "staff.add_user", "auth.change_group", "auth.add_group"} & roles.permissions(role)
        assert bool(makes) == (role == roles.OWNER)


def test_migrating_again_mends_the_roles_of_the_table_and_leaves_others() -> None:
    viewer, own = Group.objects.get(name="viewer"), Group.objects.create(name="interns")
    key = Permission.objects.get(codename="add_key")
    viewer.permissions.set([key])
    own.permissions.set([key])
    before = set(Group.objects.get(name="author").permissions.all())

    for config in apps.get_app_configs():
        roles.apply(sender=config, using="default")

    assert {f"{p.content_type.app_label}.{p.codename}" for p in viewer.permissions.all()} == roles.permissions("viewer")
    assert list(own.permissions.all()) == [key]
    assert set(Group.objects.get(name="author").permissions.all()) == before


def test_applying_the_table_again_writes_nothing(django_assert_num_queries) -> None:
    with connection.execute_wrapper(_refuse_writes):
        for config in apps.get_app_configs():
            roles.apply(sender=config, using="default")


def _refuse_writes(execute, sql, params, many, context):
    assert not sql.startswith(("INSERT", "UPDATE", "DELETE")), sql
    return execute(sql, params, many, context)


@pytest.mark.parametrize("role", roles.TABLE)
def test_AZ01_each_screen_opens_for_whom_the_table_names_and_for_nobody_else(role: str, staff_of) -> None:
    client, granted = staff_of(role), roles.may(role)
    wrong = []
    for model in SCREENS:
        verbs = granted.get(_label(model), set())
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        answer = client.get(reverse(f"admin:{name}_changelist"), follow=True)
        if answer.status_code != (200 if verbs & {"view", "change"} else 403):
            wrong.append((name, "list", answer.status_code))
        answer = client.get(reverse(f"admin:{name}_add"))
        # A screen may offer less than the table grants, never more.
        if (answer.status_code == 200 and "add" not in verbs) or answer.status_code not in (200, 302, 403, 404):
            wrong.append((name, "add", answer.status_code))
    assert wrong == []


@pytest.mark.parametrize("role", roles.TABLE)
def test_AZ01_no_screen_deletes_for_whom_the_table_does_not_name(role: str, staff_of, rf) -> None:
    user = User.objects.get(groups__name=role) if staff_of(role) else None
    for model in SCREENS:
        request = rf.get("/")
        request.user = user
        screen = admin.site._registry[model]
        verbs = roles.may(role).get(_label(model), set())
        assert not screen.has_delete_permission(request) or "delete" in verbs, model
        assert not screen.has_change_permission(request) or "change" in verbs, model
        assert not screen.has_add_permission(request) or "add" in verbs, model
        assert not screen.has_view_permission(request) or verbs & {"view", "change"}, model


@pytest.mark.parametrize("role", roles.TABLE)
def test_the_menu_shows_what_opens(role: str, staff_of) -> None:
    client = staff_of(role)
    page = client.get(reverse("admin:index"))
    assert page.status_code == 200
    for model in SCREENS:
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        address = reverse(f"admin:{name}_changelist")
        if f'href="{address}"' in page.content.decode():
            assert client.get(address, follow=True).status_code == 200, name


def test_docs_roles_is_the_table() -> None:
    written = (Path(settings.BASE_DIR) / "docs" / "roles.md").read_text()
    assert written == roles.as_markdown(), "write it anew: manage.py roles > docs/roles.md"
