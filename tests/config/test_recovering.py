"""A database that is an older one, takes no writes, or is read from a copy: nothing is sent twice or let through."""

# ruff: noqa: F811 (fixtures of others)

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import InternalError, connection
from django.test import Client
from pytest_django.fixtures import Settings

from config import checks, health, recovering
from consent import links
from consent.models import Suppression
from foundation import clock, standstill
from journeys import engine
from messaging import dispatch
from messaging.models import Message
from profiles.models import Profile
from staff.models import AuditEntry
from tests.api.conftest import client_with
from tests.config.test_health import well  # noqa: F401 (a fixture)
from tests.journeys.conftest import Stage, send, stage  # noqa: F401 (a fixture)


def _said(*options: str) -> str:
    out = StringIO()
    call_command("recover", *options, stdout=out)
    return out.getvalue()


def _ran(ago: timedelta) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO foundation_loop (name, ran_at) VALUES ('journeys.react', %s)"
            " ON CONFLICT (name) DO UPDATE SET ran_at = excluded.ran_at",
            [clock.wall() - ago],
        )


@pytest.fixture
def home(db: None, settings: Settings, tmp_path: Path) -> Path:
    settings.CAIRN_HOME = tmp_path
    return tmp_path


@pytest.fixture
def queued(stage: Stage, ada: Profile) -> Message:
    stage.journey(send("hello"))
    stage.does(ada, "signed_up")
    engine.react(stage.now)
    return Message.objects.get()


# ── FM-43: an older backup ───────────────────────────────────────────────────────────────────────────────────────────
def test_FM43_after_an_older_backup_nothing_is_sent_until_an_operator_says_so(
    home: Path, queued: Message, stage: Stage, well: None, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    _ran(timedelta())
    recovering.remember()
    assert recovering.look() == "", "it is the same that worked here"
    with connection.cursor() as cursor:
        cursor.execute("UPDATE foundation_loop SET ran_at = ran_at - interval '3 days'")
    recovering.remember()  # never an earlier moment
    assert recovering.look().startswith("This database last worked 3 days before what this machine last saw of it")
    assert dispatch.tick(stage.now) == 0
    assert Message.objects.get().state == "queued"
    with connection.cursor() as cursor:
        cursor.execute("UPDATE foundation_loop SET ran_at = clock_timestamp()")
    assert "manage.py recover --go-on" in recovering.look(), "it holds, whatever runs meanwhile"
    answer = client.get("/readyz")
    assert (answer.status_code, list(answer.json()["held"])) == (200, ["sending"])
    assert "cairn_sending_held 1" in client.get("/metrics").content.decode()
    assert re.match(r"Sending stands still since .* 1 message waits to go\.", _said())
    assert _said("--go-on") == "Sending goes on.\n"
    assert (AuditEntry.objects.latest("id").verb, AuditEntry.objects.latest("id").kind) == ("recover", "sending")
    dispatch.tick(stage.now)
    assert Message.objects.get().state == "sent"
    assert "held" not in client.get("/readyz").json()


def test_FM43_an_operator_may_hold_it_before_a_backup_is_restored(home: Path, queued: Message, stage: Stage) -> None:
    assert "An operator had it stand still." in _said("--hold")
    assert dispatch.tick(stage.now) == 0
    _said("--go-on")
    assert dispatch.tick(stage.now) == 1


def test_FM43_where_nothing_outside_tells_a_long_rest_is_suspicious(home: Path, settings: Settings) -> None:
    assert recovering.look() == "", "a new one has nothing to send twice"
    _ran(timedelta(hours=7))
    assert recovering.look() == "", "the embedded one stands beside what is written down"
    settings.EMBEDDED = False
    settings.RECOVER_AFTER_HOURS = 0
    assert recovering.look() == ""
    settings.RECOVER_AFTER_HOURS = 6
    recovering.witness().write_text(json.dumps({"ran_at": (clock.wall() - timedelta(hours=7)).isoformat()}))
    assert recovering.look() == "", "it is the newest that was seen here"
    recovering.witness().write_text("torn")
    assert "last worked 7 hours ago" in recovering.look()
    assert standstill.holds()


# ── FM-19: no writes ─────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def read_only(transactional_db: None) -> Iterator[Any]:
    """Has the database take writes no more, and again."""

    def switch(value: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET default_transaction_read_only = {value}")

    yield switch
    connection.close()


def test_FM19_without_writes_nothing_is_claimed_pages_say_503_and_then_all_goes_on(
    read_only: Any, queued: Message, stage: Stage, ada: Profile, client: Client
) -> None:
    url = links.unsubscribe_url(ada, "product", "email", None).split("/", 3)[3]
    api = client_with()
    read_only("on")
    for loop in (dispatch.tick, engine.advance):
        with pytest.raises(InternalError, match="read-only"):
            loop(stage.now)
    assert Message.objects.get().state == "queued"
    answer = client.post(f"/{url}", {"List-Unsubscribe": "One-Click"})
    assert (answer.status_code, answer["Retry-After"]) == (503, "60")
    assert api.post("/api/v1/journeys/onboarding/pause/", {}).status_code == 503
    assert health.what_is_missing()["database"] == "takes no writes, so nothing can be stored or sent"
    read_only("off")
    assert "database" not in health.what_is_missing()
    assert client.post(f"/{url}", {"List-Unsubscribe": "One-Click"}).status_code == 200
    dispatch.tick(stage.now)
    assert Message.objects.get().state == "suppressed", "who unsubscribed before it went is not written to"
    assert not Suppression.objects.exists()


# ── FM-20: a copy that lags ──────────────────────────────────────────────────────────────────────────────────────────
class Copies:
    """A router that reads what somebody sends from a copy."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return "copy" if model is Message else None


def test_FM20_a_router_that_reads_from_a_copy_is_refused(settings: Settings) -> None:
    assert checks.all_is_read_where_it_is_written() == []
    settings.DATABASE_ROUTERS = [f"{__name__}.Copies"]
    [error] = checks.all_is_read_where_it_is_written()
    assert error.id == "cairn.E003"
    assert "messaging.Message (read)" in error.msg
