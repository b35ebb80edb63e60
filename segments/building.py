"""Whole segments asked of everybody: a first build, a new definition, a refresh that staff want now, and suspects.

Several are asked in one question, so that what they have in common is read once. The difference is found and written
in one statement, so that a build that is killed leaves the old membership whole. While it runs the segments are held
alone; who is refreshed meanwhile is asked again behind it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, transaction

from foundation.sql import statements
from profiles import pulses
from profiles.models import Pulse
from segments import live
from segments.live import Live
from segments.models import Cause, Segment
from segments.question import Names, Question, ask, planned

_sql = statements("segments", "membership")
_MAKING = 0
TOGETHER = 25  # so many segments in one question: each adds its tables to what it holds in memory
_TIMEOUT = "SELECT current_setting('statement_timeout'), set_config('statement_timeout', %(limit)s::text, true)"
_DIFFERENCE = """
    difference AS MATERIALIZED (
        SELECT coalesce(a.segment, m.segment_id) AS segment_id, coalesce(a.id, m.profile_id) AS profile_id,
            a.id IS NOT NULL AS entered
        FROM answer a
        FULL JOIN (
            SELECT segment_id, profile_id FROM segments_membership WHERE segment_id = ANY(%(segments)s::bigint[])
        ) m ON m.profile_id = a.id AND m.segment_id = a.segment
        WHERE a.id IS NULL OR m.profile_id IS NULL
    )
"""
_WRITE = f"""
    WITH answer AS (%s), {_DIFFERENCE},
    asked AS MATERIALIZED (
        SELECT * FROM unnest(%(segments)s::bigint[], %(versions)s::bigint[]) AS v(segment, version)
    ),
    gone AS (
        DELETE FROM segments_membership m USING difference d
        WHERE m.segment_id = d.segment_id AND m.profile_id = d.profile_id AND NOT d.entered
    ),
    come AS (
        INSERT INTO segments_membership (segment_id, profile_id, entered_at, cause, version_id)
        SELECT v.segment, d.profile_id, %(now)s::timestamptz, %(cause)s::text, v.version
        FROM difference d JOIN asked v ON v.segment = d.segment_id WHERE d.entered ORDER BY v.segment, d.profile_id
    ),
    told AS (
        INSERT INTO segments_membershipchange (segment_id, profile_id, entered, at, cause, version_id)
        SELECT v.segment, d.profile_id, d.entered, %(now)s::timestamptz, %(cause)s::text, v.version
        FROM difference d JOIN asked v ON v.segment = d.segment_id ORDER BY v.segment, d.profile_id
    ),
    handed_on AS (
        INSERT INTO segments_late (segment_id, profile_id, cause, entered, at)
        SELECT d.segment_id, d.profile_id, CASE
            -- What waits for the person is the likelier cause than time; old and merged data must trigger nothing.
            WHEN NOT EXISTS (SELECT FROM profiles_pulse u WHERE u.profile_id = d.profile_id) THEN %(cause)s::text
            ELSE (
                SELECT u.cause FROM profiles_pulse u WHERE u.profile_id = d.profile_id
                ORDER BY array_position(ARRAY['event', 'attribute', 'time', 'history', 'merge'], u.cause) LIMIT 1
            ) END, d.entered, %(now)s::timestamptz
        FROM difference d WHERE %(hand_on)s::boolean
        RETURNING profile_id
    )
    SELECT v.segment, count(*) FILTER (WHERE d.entered), count(*) FILTER (WHERE NOT d.entered),
        (SELECT array_agg(DISTINCT profile_id) FROM handed_on)
    FROM asked v LEFT JOIN difference d ON d.segment_id = v.segment GROUP BY v.segment
"""
_SUSPECTS = f"""
    WITH answer AS (%s), {_DIFFERENCE}
    SELECT d.segment_id, d.profile_id FROM difference d
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
    """Asks these segments of everybody, each after those that it uses.

    `hand_on`: journeys hear of the changes, as they do of a refresh. For what is none of a new definition's doing.
    """
    ids = [segment.id for segment in segments]
    with transaction.atomic():
        hold_alone(ids)
        standing = {one.id: one for one in live.read().live}
        built: dict[int, Built] = {}
        for some in _in_order(standing, ids):
            built |= _build(some, now, cause, hand_on)
        for segment in segments:
            if segment.id not in built and segment.kind == Segment.Kind.DYNAMIC:
                built[segment.id] = _empty(segment, now, cause)
        transaction.on_commit(lambda: release(ids, now=now), robust=True)
    return [built.get(id, Built()) for id in ids]


def hold_alone(ids: Sequence[int], *, making: bool = False) -> None:
    """Holds segments alone until the transaction ends; in order of id, so that no two builders wait in a circle."""
    _sql.rows("hold_alone", {"ids": [*([_MAKING] if making else []), *sorted(set(ids))]})


def together(asked: Sequence[Live]) -> Iterator[list[Live]]:
    """These, so many at a time as are asked in one question."""
    for first in range(0, len(asked), TOGETHER):
        yield list(asked[first : first + TOGETHER])


def _in_order(standing: dict[int, Live], ids: Sequence[int]) -> Iterator[list[Live]]:
    for level in live.Standing(list(standing.values())).levels:
        yield from together([one for one in level if one.id in set(ids)])


def _build(some: list[Live], now: datetime, cause: Cause, hand_on: bool) -> dict[int, Built]:
    # As of no earlier than what was found last: to wait for the segments may have taken a while.
    last = [_sql.rows("changed_last", {"segment": one.id})[0][0] for one in some]
    moment = max(filter(None, [now, *last]))
    versions = [one.version_id for one in some]
    try:
        with transaction.atomic():
            rows = _run(_WRITE, some, moment, cause=cause.value, versions=versions, hand_on=hand_on)
    except DatabaseError as error:
        if len(some) > 1:  # one that fails holds back no other
            return {id: built for one in some for id, built in _build([one], now, cause, hand_on).items()}
        failed = reason(error)
        Segment.objects.filter(id=some[0].id).update(flagged=failed)
        return {some[0].id: Built(failed=failed)}
    pulses.touch(rows[0][3] or [], cause=Pulse.Cause.TIME, now=moment)
    for one in some:
        unforeseen = moment if one.moves else None
        Segment.objects.filter(id=one.id).update(
            refreshed_at=moment, swept_at=moment, unforeseen_since=unforeseen, flagged=""
        )
    return {segment: Built(entered, left) for segment, entered, left, _ in rows}


def suspects(some: Sequence[Live], *, now: datetime, limit: int) -> dict[int, list[UUID]]:
    """Per segment those who are not where its condition says now, and who have no pulse that would find it."""
    found: dict[int, list[UUID]] = {}
    with transaction.atomic():
        for segment, person in _run(_SUSPECTS, some, now, limit=limit):
            found.setdefault(segment, []).append(person)
    return found


def _run(text: str, some: Sequence[Live], now: datetime, **params: object) -> list[tuple[Any, ...]]:
    answer, bound = _answer(some, now)
    with planned(wide=True):
        [(before, _)] = ask(_TIMEOUT, {"limit": str(int(settings.SEGMENT_TIMEOUT_SECONDS * 1000))})
        asked = {"segments": [one.id for one in some], "now": now}
        rows = ask(text.replace("%s", answer, 1), {**bound, **params, **asked})
        ask(_TIMEOUT, {"limit": before})
    return rows


def _answer(some: Sequence[Live], now: datetime) -> tuple[str, dict[str, Any]]:
    """Who matches which of these segments, as a statement of `id` and `segment`."""
    q = Question(now, Names.of(set().union(*(one.needs.events for one in some)) | {"*"}))
    if len(some) == 1:  # PostgreSQL passes over people early whom the one condition leaves out
        return q.select(["p.id AS id", f"{q.bind(some[0].id, 'bigint')} AS segment"], some[0].condition.holds(q))
    cases = [f"CASE WHEN {one.condition.holds(q)} THEN {q.bind(one.id, 'bigint')} END" for one in some]
    return q.select(["p.id AS id", f"unnest(array_remove(ARRAY[{', '.join(cases)}], NULL)) AS segment"])


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
