"""The months of the event table: there is one for every month that an event may fall in. Only the owner makes them.

What happened before the first of them shares one partition, `profiles_event_older`, whose upper bound stays for ever.
"""

import re
from collections.abc import Iterator
from datetime import date

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

MONTHS_BACK = 36  # older events share one partition, as they are few
MONTHS_AHEAD = 3
OLDER = "profiles_event_older"

_NOW = "SELECT coalesce((SELECT at FROM foundation_clock), clock_timestamp())::date"
_EXISTING = """
    SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'profiles_event'::regclass
"""


def ensure(connection: BaseDatabaseWrapper, until: date | None = None) -> int:
    """Makes the missing months up to `until` (by default three ahead of now); how many it made.

    Those that a shorter retention had dropped come back empty when the retention grows.
    """
    with connection.cursor() as cursor:
        today = _today(cursor)
        existing = _existing(cursor)
        if OLDER not in existing:
            _make_older(cursor, _plus(today, -MONTHS_BACK))
            existing = _existing(cursor)
        first = max(_upper(existing[OLDER]), _horizon(today) or date.min)
        made = 0
        for month in _months(first, _plus(max(until or today, today), MONTHS_AHEAD)):
            name = f"profiles_event_{month:%Y_%m}"
            if name not in existing:
                cursor.execute(
                    f"CREATE TABLE {name} PARTITION OF profiles_event"
                    f" FOR VALUES FROM ('{month} 00:00+00') TO ('{_plus(month, 1)} 00:00+00')"
                )
                made += 1
        return made


def drop_expired(connection: BaseDatabaseWrapper) -> list[str]:
    """Drops what lies wholly before the retention; the names. Rollups stay."""
    with connection.cursor() as cursor:
        horizon = _horizon(_today(cursor))
        if horizon is None:
            return []
        existing = _existing(cursor)
        dropped = [name for name in existing if name != OLDER and _plus(_month_of(name), 1) <= horizon]
        for name in dropped:
            cursor.execute(f"DROP TABLE {name}")
        if OLDER in existing and _upper(existing[OLDER]) <= horizon and _has_rows(cursor, OLDER):
            cursor.execute(f"DROP TABLE {OLDER}")
            _make_older(cursor, _upper(existing[OLDER]))
            dropped.append(OLDER)
        return dropped


def _today(cursor: CursorWrapper) -> date:
    cursor.execute(_NOW)
    today: date = cursor.fetchone()[0]
    return today


def _horizon(today: date) -> date | None:
    """The day before which no event is taken, if there is one."""
    days = settings.EVENT_RETENTION_DAYS
    return None if days is None else date.fromordinal(max(today.toordinal() - int(days), 1))


def _existing(cursor: CursorWrapper) -> dict[str, str]:
    """Partition to what it says of its bounds."""
    cursor.execute(_EXISTING)
    return dict(cursor.fetchall())


def _make_older(cursor: CursorWrapper, first: date) -> None:
    cursor.execute(
        f"CREATE TABLE {OLDER} PARTITION OF profiles_event FOR VALUES FROM (MINVALUE) TO ('{first} 00:00+00')"
    )


def _upper(bounds: str) -> date:
    found = re.search(r"TO \('(\d{4}-\d\d-\d\d)", bounds)
    if found is None:
        raise ValueError(f"{OLDER} has bounds that are not ours: {bounds}")
    return date.fromisoformat(found[1])


def _has_rows(cursor: CursorWrapper, table: str) -> bool:
    cursor.execute(f"SELECT EXISTS (SELECT FROM {table})")
    return bool(cursor.fetchone()[0])


def _months(first: date, last: date) -> Iterator[date]:
    month = first.replace(day=1)
    while month <= last:
        yield month
        month = _plus(month, 1)


def _month_of(name: str) -> date:
    year, month = name.rsplit("_", 2)[1:]
    return date(int(year), int(month), 1)


def _plus(day: date, months: int) -> date:
    count = day.year * 12 + day.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)
