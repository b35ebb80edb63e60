"""What PostgreSQL itself still remembers of the erased: dead rows, their index entries, and samples of the planner."""

from datetime import datetime, timedelta

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from profiles.models import Erasure

# A table with partitions stands for all of them.
_OURS = """
    SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
    AND NOT relispartition AND relowner = current_user::regrole ORDER BY relname
"""
_SAMPLED = """
    SELECT DISTINCT s.tablename FROM pg_stats s WHERE s.schemaname = 'public'
    AND EXISTS (SELECT FROM pg_tables t WHERE t.schemaname = 'public' AND t.tablename = s.tablename
                AND t.tableowner = current_user)
"""
_FORGET_SAMPLES = """
    SELECT pg_clear_attribute_stats('public', s.tablename::text, s.attname::text, s.inherited)
    FROM pg_stats s WHERE s.schemaname = 'public' AND s.tablename = %s
"""
_CLEARS = 180_000  # the first PostgreSQL that can be told to forget samples
AT_MOST_EVERY = timedelta(days=1)  # it reads much, and who was erased is out of everybody's sight at once


def clean(owner: BaseDatabaseWrapper, now: datetime) -> int:
    """Vacuums and samples our tables, as their owner, where somebody was erased since; how many erasures that ends."""
    waiting = Erasure.objects.filter(cleaned_at=None)
    if not waiting.exists() or Erasure.objects.filter(cleaned_at__gt=now - AT_MOST_EVERY).exists():
        return 0
    ended = list(waiting.values_list("pk", flat=True))
    with owner.cursor() as cursor:
        cursor.execute(_OURS)
        for (table,) in cursor.fetchall():
            cursor.execute(f"VACUUM (ANALYZE) {owner.ops.quote_name(table)}")
        _forget_samples_of_the_empty(cursor)
    return Erasure.objects.filter(pk__in=ended).update(cleaned_at=now)


def _forget_samples_of_the_empty(cursor: CursorWrapper) -> None:
    """A table in which nothing is left is not sampled anew, so that the old samples would stay."""
    if cursor.connection.info.server_version < _CLEARS:
        return  # they go once there are rows again
    cursor.execute(_SAMPLED)
    for (table,) in cursor.fetchall():
        cursor.execute(f"SELECT EXISTS (SELECT FROM {connection.ops.quote_name(table)})")
        if not cursor.fetchone()[0]:
            cursor.execute(_FORGET_SAMPLES, [table])
