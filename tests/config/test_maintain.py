from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from pytest_django.fixtures import Settings

from foundation import clock


def _months() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = 'profiles_event'::regclass"
        )
        return {name for (name,) in cursor.fetchall()}


def _maintain() -> str:
    out = StringIO()
    call_command("maintain", stdout=out)
    return out.getvalue()


def test_months_are_made_ahead_of_the_clock_and_the_old_dropped(transactional_db: None, settings: Settings) -> None:
    settings.CAIRN_CLOCK = "manual"
    assert _maintain() == ""
    clock.set_to(datetime(2032, 1, 15, tzinfo=UTC))
    assert "months made, 0 dropped: none" in _maintain()
    assert {"profiles_event_2032_01", "profiles_event_2032_04"} <= _months()
    assert "profiles_event_2032_05" not in _months()
    settings.EVENT_RETENTION_DAYS = 400
    said = _maintain()
    assert "profiles_event_2030_11" in said
    assert "profiles_event_2030_11" not in _months()
    assert "profiles_event_2030_12" in _months(), "a month that reaches into the retention stays whole"
    assert _maintain() == ""


def test_without_the_owners_role_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "settings", {"default": connections.settings["default"]})
    with pytest.raises(CommandError, match="Set DATABASE_OWNER_URL"):
        call_command("maintain")
