"""A whole segment asked of everybody: its first build, a new definition, a refresh that staff want now, and suspects.

The difference is found and written in one statement, so that a build that is killed leaves the old membership whole.
While it runs the segment is held alone; who is refreshed meanwhile is asked again behind it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import DatabaseError, transaction

from foundation.sql import statements
from profiles import pulses
from profiles.models import Pulse
from segments import live
from segments.live import Live
from segments.models import Cause, Segment
from segments.question import Question, ask, planned

_sql = statements("segments", "membership")
_MAKING = 0
_TIMEOUT = "SELECT current_setting('statement_timeout'), set_config('statement_timeout', %(limit)s::text, true)"
_DIFFERENCE = """
    difference AS MATERIALIZED (
        SELECT coalesce(a.id, m.profile_id) AS profile_id, a.id IS NOT NULL AS entered
        FROM answer a
        FULL JOIN (SELECT profile_id FROM segments_membership WHERE segment_id = %(segment)s::bigint) m
            ON m.profile_id = a.id
        WHERE a.id IS NULL OR m.profile_id IS NULL
    )
"""
_WRITE = f"""
    WITH answer AS (%s), {_DIFFERENCE},
    gone AS (
        DELETE FROM segments_membership m USING difference d
        WHERE m.segment_id = %(segment)s::bigint AND m.profile_id = d.profile_id AND NOT d.entered
    ),
    come AS (
        INSERT INTO segments_membership (segment_id, profile_id, entered_at, cause, version_id)
        SELECT %(segment)s::bigint, d.profile_id, %(now)s::timestamptz, %(cause)s::text, %(version)s::bigint
        FROM difference d WHERE d.entered ORDER BY d.profile_id
    ),
    told AS (
        INSERT INTO segments_membershipchange (segment_id, profile_id, entered, at, cause, version_id)
        SELECT %(segment)s::bigint, d.profile_id, d.entered, %(now)s::timestamptz, %(cause)s::text, %(version)s::bigint
        FROM difference d ORDER BY d.profile_id
    ),
    handed_on AS (
        INSERT INTO segments_late (segment_id, profile_id, cause, entered, at)
        SELECT %(segment)s::bigint, d.profile_id, CASE
            -- What waits for the person is the likelier cause than time; old and merged data must trigger nothing.
            WHEN NOT EXISTS (SELECT FROM profiles_pulse u WHERE u.profile_id = d.profile_id) THEN %(cause)s::text
            ELSE (
                SELECT u.cause FROM profiles_pulse u WHERE u.profile_id = d.profile_id
                ORDER BY array_position(ARRAY['event', 'attribute', 'time', 'history', 'merge'], u.cause) LIMIT 1
            ) END, d.entered, %(now)s::timestamptz
        FROM difference d WHERE %(hand_on)s::boolean
        RETURNING profile_id
    )
    SELECT count(*) FILTER (WHERE entered), count(*) FILTER (WHERE NOT entered),
        (SELECT array_agg(profile_id) FROM handed_on)
    FROM difference
"""
_SUSPECTS = f"""
    WITH answer AS (%s), {_DIFFERENCE}
    SELECT d.profile_id FROM difference d
    -- Who has a pulse is about to be asked anyway, and for the cause that it has.
    WHERE NOT EXISTS (SELECT FROM profiles_pulse u WHERE u.profile_id = d.profile_id)
    LIMIT %(limit)s::bigint
"""


@dataclass(frozen=True, slots=True)
class Built:
    """What a build did; `failed` says why it could not be asked, and then nothing was changed."""

    entered: int = 0
    left: int = 0
    failed: str = ""


def build(segments: Sequence[Segment], *, now: datetime, cause: Cause, hand_on: bool = False) -> list[Built]:
    """Asks these segments of everybody, one after the other, each after those that it uses.

    `hand_on`: journeys hear of the changes, as they do of a refresh. For what is none of a new definition's doing.
    """
    ids = [segment.id for segment in segments]
    with transaction.atomic():
        hold_alone(ids)
        standing = {one.id: one for one in live.read().live}
        built = {id: _build(standing[id], now, cause, hand_on) for id in _in_order(standing, ids)}
        for segment in segments:
            if segment.id not in built and segment.kind == Segment.Kind.DYNAMIC:
                built[segment.id] = _empty(segment, now, cause)
        transaction.on_commit(lambda: release(ids, now=now), robust=True)
    return [built.get(id, Built()) for id in ids]


def hold_alone(ids: Sequence[int], *, making: bool = False) -> None:
    """Holds segments alone until the transaction ends; in order of id, so that no two builders wait in a circle."""
    _sql.rows("hold_alone", {"ids": [*([_MAKING] if making else []), *sorted(set(ids))]})


def _in_order(standing: dict[int, Live], ids: Sequence[int]) -> list[int]:
    levels = live.Standing(list(standing.values())).levels
    return [one.id for level in levels for one in level if one.id in set(ids)]


def _build(one: Live, now: datetime, cause: Cause, hand_on: bool) -> Built:
    # As of no earlier than what was found last: to wait for the segment may have taken a while.
    now = max(filter(None, [now, _sql.rows("changed_last", {"segment": one.id})[0][0]]))
    try:
        with transaction.atomic():
            entered, left, handed_on = _run(
                _WRITE, one, now, cause=cause.value, version=one.version_id, hand_on=hand_on
            )[0]
    except DatabaseError as error:
        failed = reason(error)
        Segment.objects.filter(id=one.id).update(flagged=failed)
        return Built(failed=failed)
    pulses.touch(handed_on or [], cause=Pulse.Cause.TIME, now=now)
    unforeseen = now if one.moves else None
    Segment.objects.filter(id=one.id).update(refreshed_at=now, swept_at=now, unforeseen_since=unforeseen, flagged="")
    return Built(entered, left)


def suspects(one: Live, *, now: datetime, limit: int) -> list[Any]:
    """The people whose membership is not what the condition says now, and who have no pulse that would find it."""
    with transaction.atomic():
        return [row[0] for row in _run(_SUSPECTS, one, now, limit=limit)]


def _run(text: str, one: Live, now: datetime, **params: object) -> list[tuple[Any, ...]]:
    q = Question(now, one.condition.names())
    answer, bound = q.select(["p.id AS id"], one.condition.holds(q))
    with planned(wide=True):
        [(before, _)] = ask(_TIMEOUT, {"limit": str(int(settings.SEGMENT_TIMEOUT_SECONDS * 1000))})
        rows = ask(text.replace("%s", answer, 1), {**bound, **params, "segment": one.id, "now": now})
        ask(_TIMEOUT, {"limit": before})
    return rows


def _empty(segment: Segment, now: datetime, cause: Cause) -> Built:
    """A segment that is not live has no members."""
    left = _sql.run("empty", {"segment": segment.id, "cause": cause.value, "version": segment.version_id, "now": now})
    Segment.objects.filter(id=segment.id).update(refreshed_at=now, unforeseen_since=None, flagged="")
    return Built(left=left)


def release(ids: Sequence[int], *, now: datetime) -> int:
    """Touches those who were put off while these segments were built; how many."""
    people = {row[0] for row in _sql.rows("put_off_for", {"segments": list(ids)})}
    return pulses.touch(people, cause=Pulse.Cause.TIME, now=now)


def reason(error: Exception) -> str:
    if getattr(error.__cause__, "sqlstate", "") == "57014":
        seconds = settings.SEGMENT_TIMEOUT_SECONDS
        return f"It takes longer than {seconds:g} seconds to ask everybody, so its members are those of before."
    return f"It could not be asked: {str(error).strip().splitlines()[0]}"
