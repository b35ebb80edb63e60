"""The screens on staff, roles, teams, keys and the trail, as requests find them."""

import re
from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from foundation import clock
from staff import audit, keys, roles
from staff.models import AuditEntry, Key, Team, User

pytestmark = pytest.mark.django_db


def signed_in(*groups: str, **fields: Any) -> Client:
    user = User.objects.create_user("olga", is_staff=True, **fields)
    user.groups.set(Group.objects.filter(name__in=groups))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def owner() -> Client:
    return signed_in("owner")


def test_whoever_signs_in_on_the_page_itself_comes_home() -> None:
    User.objects.create_user("olga", password="a long enough password", is_staff=True)
    sent = {"username": "olga", "password": "a long enough password"}
    assert Client().post("/admin/login/", sent)["Location"] == "/admin/"


class TestKeys:
    ADD = "/admin/staff/key/add/"

    def _add(self, client: Client, **fields: object):
        return client.post(
            self.ADD, {"name": "Website", "kind": "secret", "scopes": ["all"], "expires_at": ""} | fields
        )

    def test_a_key_is_shown_once_and_the_trail_says_who_made_it(self, owner: Client) -> None:
        page = self._add(owner)

        secret = re.search(r"ck_live_\w{43}", page.content.decode())
        assert secret
        assert "no-store" in page["Cache-Control"]
        key = keys.authenticate(secret[0], now=clock.now())
        assert key is not None
        assert (key.name, key.scopes) == ("Website", ["all"])
        [entry] = AuditEntry.objects.all()
        assert (entry.verb, entry.kind, entry.actor) == ("create", "key", "user:olga")
        again = owner.get(f"/admin/staff/key/{key.pk}/change/")
        assert again.status_code == 200
        assert secret[0] not in again.content.decode()

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({"name": ""}, "required"),
            ({"scopes": []}, "Say what the key may do"),
            ({"kind": "browser"}, "A write key sends behaviour and nothing else"),
            ({"rate_per_minute": "0"}, "The limit is 1 to"),
            ({"expires_at_0": "2020-01-01", "expires_at_1": "00:00"}, "would have expired already"),
        ],
    )
    def test_what_makes_no_sense_is_said_beside_its_field(self, owner: Client, fields: dict, sentence: str) -> None:
        page = self._add(owner, **fields)
        assert page.status_code == 200
        assert sentence in page.content.decode()
        assert not Key.objects.exists()

    def test_revoking_takes_one_click_and_is_told_once(self, owner: Client, now: datetime) -> None:
        key, secret = keys.create("Website", kind=Key.Kind.SERVER, now=now)
        address = f"/admin/staff/key/{key.pk}/change/"
        assert "Revoke" in owner.get(address).content.decode()
        assert owner.post(address, {"verb": "revoke"}).status_code == 302
        assert keys.authenticate(secret, now=now) is None
        assert AuditEntry.objects.get(verb="revoke").actor == "user:olga"
        assert owner.post(address, {"verb": "revoke"}).status_code == 403


class TestStaff:
    def test_a_member_of_staff_is_added_and_given_a_role_and_a_time_zone(self, owner: Client) -> None:
        added = owner.post(
            "/admin/staff/user/add/",
            {
                "username": "ada",
                "usable_password": "true",
                "password1": "stone-on-stone-9",
                "password2": "stone-on-stone-9",
            },
        )
        ada = User.objects.get(username="ada")
        assert added.status_code == 302
        author = Group.objects.get(name="author")
        fields = {
            "username": "ada",
            "time_zone": "Europe/Berlin",
            "is_active": "on",
            "is_staff": "on",
            "groups": [author.pk],
        }
        assert owner.post(f"/admin/staff/user/{ada.pk}/change/", fields).status_code == 302

        ada.refresh_from_db()
        assert (ada.time_zone, list(ada.groups.all())) == ("Europe/Berlin", [author])
        assert [(e.verb, e.target) for e in AuditEntry.objects.order_by("id")] == [("create", "ada"), ("change", "ada")]
        assert "Groups" in AuditEntry.objects.get(verb="change").summary

    def test_times_stand_in_the_zone_of_who_reads_them(self, now: datetime) -> None:
        client = signed_in("owner", time_zone="Asia/Tokyo")
        key, _ = keys.create("Website", kind=Key.Kind.SERVER, now=now)
        assert "19:00" in client.get(f"/admin/staff/key/{key.pk}/change/").content.decode()

    def test_nobody_but_a_superuser_changes_a_superuser(self, owner: Client) -> None:
        root = User.objects.create_superuser("root", password="stone-on-stone-9")
        assert owner.post(f"/admin/staff/user/{root.pk}/change/", {"username": "mine"}).status_code == 403
        assert owner.get(f"/admin/staff/user/{root.pk}/password/").status_code == 403
        assert owner.post(f"/admin/staff/user/{root.pk}/delete/", {"post": "yes"}).status_code == 403
        root.refresh_from_db()
        assert root.username == "root"

    def test_AZ03_nobody_makes_themselves_a_superuser(self, owner: Client) -> None:
        olga = User.objects.get(username="olga")
        fields = {"username": "olga", "time_zone": "UTC", "is_active": "on", "is_staff": "on", "is_superuser": "on"}
        assert owner.post(f"/admin/staff/user/{olga.pk}/change/", fields).status_code == 302
        olga.refresh_from_db()
        assert not olga.is_superuser

    def test_roles_of_the_table_are_shown_and_not_changed(self, owner: Client) -> None:
        viewer = Group.objects.get(name="viewer")
        address = f"/admin/auth/group/{viewer.pk}/"
        assert owner.get(f"{address}change/").status_code == 200
        assert owner.post(f"{address}change/", {"name": "viewer", "permissions": []}).status_code == 403
        assert owner.post(f"{address}delete/", {"post": "yes"}).status_code == 403
        own = Group.objects.create(name="interns")
        assert owner.post(f"/admin/auth/group/{own.pk}/change/", {"name": "trainees"}).status_code == 302

    def test_a_team_is_made_with_its_members(self, owner: Client) -> None:
        olga = User.objects.get(username="olga")
        team = {"name": "Success", "slug": "success", "members": [olga.pk]}
        assert owner.post("/admin/staff/team/add/", team).status_code == 302
        assert list(Team.objects.get(slug="success").members.all()) == [olga]
        assert AuditEntry.objects.get().summary == "Added the team Success"
        assert owner.post(f"/admin/staff/team/{Team.objects.get().pk}/delete/", {"post": "yes"}).status_code == 302
        assert AuditEntry.objects.filter(verb="delete").count() == 1


class TestTrail:
    def test_it_is_read_and_never_written_here(self, owner: Client) -> None:
        entry = audit.record("publish", "journey", "welcome", "Published the journey Welcome", version=3)
        page = owner.get("/admin/staff/auditentry/")
        assert "Published the journey Welcome" in page.content.decode()
        one = f"/admin/staff/auditentry/{entry.pk}/"
        assert "Version" in owner.get(f"{one}change/").content.decode()
        assert owner.post(f"{one}change/", {"summary": "Nothing"}).status_code == 403
        assert owner.post(f"{one}delete/", {"post": "yes"}).status_code == 403
        assert owner.get("/admin/staff/auditentry/add/").status_code == 403

    @pytest.mark.parametrize("query", ["?q=welcome", "?q=user:ada", "?q=" + "x" * 2_000, "?q=%00", "?kind__exact=key"])
    def test_it_can_be_searched(self, owner: Client, query: str) -> None:
        audit.record("publish", "journey", "welcome", "Published the journey Welcome")
        assert owner.get(f"/admin/staff/auditentry/{query}").status_code in (200, 302)


@pytest.mark.parametrize("name", ["staff_user", "auth_group", "staff_team", "staff_key", "staff_auditentry"])
def test_each_screen_opens_for_the_owner_and_sends_strangers_to_sign_in(owner: Client, name: str) -> None:
    address = reverse(f"admin:{name}_changelist")
    assert owner.get(address).status_code == 200
    assert Client().get(address).status_code == 302


def test_there_is_a_role_for_each_name_of_the_table() -> None:
    assert set(Group.objects.values_list("name", flat=True)) == set(roles.TABLE)
