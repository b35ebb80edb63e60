import hashlib
import re
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from foundation import clock
from foundation.errors import Invalid
from staff import keys
from staff.actors import acting_as
from staff.models import AuditEntry, Key

pytestmark = pytest.mark.django_db


def test_AZ05_the_database_has_a_digest_of_256_random_bits_and_no_plaintext(now: datetime) -> None:
    key, secret = keys.create("Website", kind=Key.Kind.SECRET, scopes=["all"], now=now)

    assert re.fullmatch(r"ck_live_[A-Za-z0-9]{43}", secret)
    assert key.digest == hashlib.sha256(secret.encode()).hexdigest()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg(k::text, '') || (SELECT string_agg(a::text, '') FROM staff_auditentry a)"
            " FROM staff_key k"
        )
        kept = cursor.fetchone()[0]
    assert key.prefix in kept
    assert secret[:16] not in kept


@pytest.mark.parametrize(("kind", "head"), [("secret", "ck_live_"), ("server", "wk_"), ("browser", "wb_")])
def test_each_kind_is_told_by_its_head(kind: str, head: str, now: datetime) -> None:
    key, secret = keys.create("A", kind=Key.Kind(kind), scopes=["all"] if kind == "secret" else [], now=now)
    assert secret.startswith(head)
    assert key.prefix == secret[: len(head) + 5]


def test_a_key_is_recognised_in_one_question(now: datetime, django_assert_num_queries) -> None:
    key, secret = keys.create("A", kind=Key.Kind.SERVER, now=now)
    assert keys.authenticate(secret, now=now) == key
    with django_assert_num_queries(1):
        assert keys.authenticate(secret, now=now + timedelta(seconds=59)) == key


@pytest.mark.parametrize("secret", ["", "wk_", "wk_" + "a" * 43, "\ud800", "\x00", "a" * 100_000])
def test_whatever_is_no_key_is_nobody(secret: str, now: datetime) -> None:
    keys.create("A", kind=Key.Kind.SERVER, now=now)
    assert keys.authenticate(secret, now=now) is None


def test_that_it_was_used_is_noted_once_a_minute(now: datetime) -> None:
    key, secret = keys.create("A", kind=Key.Kind.SERVER, now=now)
    for seconds, noted in ((0, 0), (59, 0), (60, 60), (119, 60), (120, 120)):
        keys.authenticate(secret, now=now + timedelta(seconds=seconds))
        key.refresh_from_db()
        assert key.last_used_at == now + timedelta(seconds=noted)


def test_a_revoked_key_is_refused_at_once_and_the_trail_says_by_whom(now: datetime) -> None:
    key, secret = keys.create("Website", kind=Key.Kind.SERVER, now=now)
    with acting_as("user:ada"):
        keys.revoke(key, now=now)
        keys.revoke(key, now=now + timedelta(days=1))

    assert keys.authenticate(secret, now=now) is None
    assert key.revoked_at == now
    [entry] = AuditEntry.objects.filter(verb="revoke")
    assert (entry.actor, entry.target, entry.summary) == ("user:ada", str(key.id), "Revoked the key Website")


def test_a_key_serves_until_the_moment_it_expires(now: datetime) -> None:
    key, secret = keys.create("A", kind=Key.Kind.SERVER, expires_at=now + timedelta(days=1), now=now)
    assert keys.authenticate(secret, now=now + timedelta(days=1, microseconds=-1)) == key
    assert keys.authenticate(secret, now=now + timedelta(days=1)) is None


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ({"name": " "}, "name"),
        ({"name": "a" * 101}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"scopes": ["profiles:read", "profile:read"]}, "scopes"),
        ({"scopes": []}, "scopes"),
        ({"kind": Key.Kind.BROWSER}, "scopes"),
        ({"rate_per_minute": 0}, "rate_per_minute"),
        ({"expires_at": datetime.fromisoformat("2020-01-01T00:00:00Z")}, "expires_at"),
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(asked: dict, path: str, now: datetime) -> None:
    wanted = {"name": "A", "kind": Key.Kind.SECRET, "scopes": ["all"], "now": now} | asked
    with pytest.raises(Invalid) as refusal:
        keys.create(wanted.pop("name"), **wanted)
    assert refusal.value.problems[0].path == path
    assert not Key.objects.exists()


class TestRate:
    def test_RL01_secret_and_server_keys_have_no_limit_and_browser_keys_do(self, now: datetime) -> None:
        secret, _ = keys.create("A", kind=Key.Kind.SECRET, scopes=["all"], now=now)
        server, _ = keys.create("B", kind=Key.Kind.SERVER, now=now)
        browser, _ = keys.create("C", kind=Key.Kind.BROWSER, now=now)
        assert keys.spend(secret, 10**9, now=now) is None
        assert keys.spend(server, 10**9, now=now) is None
        assert browser.rate_per_minute == 6_000
        assert keys.spend(browser, 6_000, now=now) is None
        assert keys.spend(browser, 1, now=now) == 1

    def test_RL01_the_wait_that_is_named_suffices_and_less_does_not(self, now: datetime) -> None:
        key, _ = keys.create("A", kind=Key.Kind.SERVER, rate_per_minute=6, now=now)
        assert [keys.spend(key, 3, now=now), keys.spend(key, 3, now=now)] == [None, None]
        assert keys.spend(key, 2, now=now) == 20
        assert keys.spend(key, 2, now=now + timedelta(seconds=19)) == 1
        assert keys.spend(key, 2, now=now + timedelta(seconds=20)) is None

    def test_RL01_a_minute_of_silence_fills_it_and_no_more(self, now: datetime) -> None:
        key, _ = keys.create("A", kind=Key.Kind.SERVER, rate_per_minute=60, now=now)
        assert keys.spend(key, 60, now=now) is None
        later = now + timedelta(hours=1)
        assert keys.spend(key, 60, now=later) is None
        assert keys.spend(key, 1, now=later) == 1

    def test_RL01_a_batch_larger_than_the_limit_goes_through_once_and_is_paid_off(self, now: datetime) -> None:
        key, _ = keys.create("A", kind=Key.Kind.SERVER, rate_per_minute=60, now=now)
        assert keys.spend(key, 180, now=now) is None
        assert keys.spend(key, 1, now=now) == 121
        assert keys.spend(key, 180, now=now) == 180
        assert keys.spend(key, 180, now=now + timedelta(seconds=180)) is None

    def test_keys_do_not_spend_for_one_another(self, now: datetime) -> None:
        one, _ = keys.create("A", kind=Key.Kind.SERVER, rate_per_minute=1, now=now)
        other, _ = keys.create("B", kind=Key.Kind.SERVER, rate_per_minute=1, now=now)
        assert [keys.spend(one, 1, now=now), keys.spend(other, 1, now=now)] == [None, None]


class TestCommand:
    def _run(self, *args: str) -> tuple[str, str]:
        out, err = StringIO(), StringIO()
        call_command("createkey", *args, stdout=out, stderr=err)
        return out.getvalue(), err.getvalue()

    @pytest.mark.parametrize(
        ("args", "kind", "scopes"),
        [
            (["--scopes", "all"], "secret", ["all"]),
            (["--scopes", "profiles:read", "segments:write"], "secret", ["profiles:read", "segments:write"]),
            (["--scopes", "profiles:read,segments:write"], "secret", ["profiles:read", "segments:write"]),
            (["--write"], "server", []),
            (["--write", "--browser"], "browser", []),
        ],
    )
    def test_it_prints_the_key_alone_on_standard_output(self, args: list[str], kind: str, scopes: list[str]) -> None:
        out, _ = self._run("Website", *args)
        key = keys.authenticate(out.removesuffix("\n"), now=clock.now())
        assert key is not None
        assert (key.name, key.kind, key.scopes) == ("Website", kind, scopes)
        assert AuditEntry.objects.get().actor == "command:createkey"

    def test_it_takes_a_limit_and_an_end(self) -> None:
        self._run("Website", "--write", "--rate", "100", "--days", "30")
        key = Key.objects.get()
        assert key.rate_per_minute == 100
        assert key.expires_at == key.created_at + timedelta(days=30)

    @pytest.mark.parametrize(
        ("args", "sentence"),
        [
            ([], "Say what the key may do"),
            (["--scopes", "everything"], "There is no scope 'everything'"),
            (["--scopes", "all", "--write"], "Choose one"),
            (["--browser"], "--browser goes with --write"),
            (["--write", "--days", "0"], "--days is 1 to"),
            (["--write", "--rate", "0"], "The limit is 1 to"),
        ],
    )
    def test_what_it_cannot_make_it_says_and_prints_no_key(self, args: list[str], sentence: str) -> None:
        out, err = StringIO(), StringIO()
        with pytest.raises(CommandError, match=re.escape(sentence)):
            call_command("createkey", "Website", *args, stdout=out, stderr=err)
        assert out.getvalue() == ""
        assert not Key.objects.exists()
