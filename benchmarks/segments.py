"""How fast the condition language answers, next to plain SQL by hand and to DuckDB, on the same data in the same run.

    python -m benchmarks.segments [--people 20000] [--events 2000000] [--explain S2]

The nine questions are asked of everybody; then 50 segments are built, 500 touched people are refreshed in them, a large
segment changes by a hundredth, and an hour passes. The hand-written SQL reads raw events in the most obvious way;
DuckDB has the data in memory, in columns. All three give the same answers, which is checked.

What is compared is processor time, of PostgreSQL without helpers and of DuckDB with all its threads, so that the ratios
hold on a machine that others use as well. Figures: docs/conditions.md.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

AT = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)
# Times of what plain SQL takes in the same run. Above these something is wrong; docs say what is usual.
AT_MOST = 3.0
OF_DUCKDB, WORST_OF_DUCKDB = 3.0, 6.0  # in geometric mean, and of any: what is aimed at
# 500 people asked in 50 segments, with difference and history, against a question a segment that writes nothing.
OF_ONE_BY_ONE = 0.7
TWICE_THE_PEOPLE = 3.0  # against half of them, at most
MONTH = {"last": {"days": 30}}

PEOPLE = """
    INSERT INTO profiles_profile (id, external_id, first_seen_at, last_seen_at, attributes, attribute_times, email)
    SELECT md5('person' || n)::uuid, 'person-' || n, %(at)s::timestamptz - interval '200 days', %(at)s,
        jsonb_build_object('plan', (ARRAY['free', 'trial', 'pro', 'team'])[1 + n %% 4], 'mrr', (n * 7919) %% 400),
        '{}', 'p' || n || '@example.com'
    FROM generate_series(1, %(people)s) n
"""
TYPES = """
    INSERT INTO profiles_eventtype
        (id, name, status, description, required, properties, volume, volume_30_days, first_seen_at, last_seen_at)
    SELECT n, coalesce((ARRAY['feature_used', 'report_exported', 'signed_up', 'invited'])[n], 'event_' || n),
        'new', '', '{}', '{}', 0, 0, %(at)s, %(at)s
    FROM generate_series(1, 40) n
"""
EVENTS = """
    INSERT INTO profiles_event (message_id, profile_id, name_id, occurred_at, received_at, properties)
    SELECT 'm' || n, md5('person' || (1 + floor(%(people)s * power(random(), 1.5))::int))::uuid,
        least(40, 1 + floor(power(40, random()) - 0.999)::int), t, t,
        jsonb_build_object('format', (ARRAY['pdf', 'csv', 'xlsx'])[1 + n %% 3], 'feature', 'f' || (n * 31) %% 17)
    FROM (SELECT n, %(at)s::timestamptz - random() * interval '180 days' AS t FROM generate_series(1, %(events)s) n) g
    ORDER BY t
"""
DAYS = """
    INSERT INTO profiles_eventday (profile_id, name_id, day, n, first_at, last_at)
    SELECT profile_id, name_id, (occurred_at AT TIME ZONE 'UTC')::date, count(*), min(occurred_at), max(occurred_at)
    FROM profiles_event GROUP BY 1, 2, 3
"""

S2 = {"kind": "event", "name": "feature_used", "count": {"op": "gte", "value": 5}, "window": MONTH}
S4 = {
    "kind": "event",
    "name": "report_exported",
    "where": [{"property": "format", "op": "is", "value": "pdf"}],
    "count": {"op": "gte", "value": 3},
    "window": {"last": {"days": 90}},
}
S1 = {
    "all": [
        {"kind": "attribute", "name": "plan", "op": "is", "value": "pro"},
        {"kind": "attribute", "name": "mrr", "op": "gt", "value": 100},
    ]
}
S7 = {"kind": "trend", "name": "*", "window": {"days": 7}, "op": "falls_by", "percent": 50}
QUESTIONS: dict[str, tuple[str, Any, str]] = {
    "S1": (
        "plan is pro and mrr above 100",
        S1,
        "SELECT id FROM profiles_profile WHERE attributes->>'plan' = 'pro' AND (attributes->>'mrr')::numeric > 100",
    ),
    "S2": (
        "feature used 5 times in 30 days",
        S2,
        "SELECT profile_id FROM profiles_event WHERE name_id = 1 AND occurred_at > {at} - interval '30 days'"
        " AND occurred_at <= {at} GROUP BY 1 HAVING count(*) >= 5",
    ),
    "S3": (
        "active 30 to 14 days ago, not since",
        {
            "all": [
                {"kind": "recency", "name": "*", "op": "within_last", "value": {"days": 30}},
                {"kind": "recency", "name": "*", "op": "more_than_ago", "value": {"days": 14}},
            ]
        },
        "SELECT profile_id FROM profiles_event WHERE occurred_at <= {at} GROUP BY 1"
        " HAVING max(occurred_at) <= {at} - interval '14 days' AND max(occurred_at) > {at} - interval '30 days'",
    ),
    "S4": (
        "3 exports as PDF in 90 days",
        S4,
        "SELECT profile_id FROM profiles_event WHERE name_id = 2 AND occurred_at > {at} - interval '90 days'"
        " AND occurred_at <= {at} AND properties->>'format' = 'pdf' GROUP BY 1 HAVING count(*) >= 3",
    ),
    "S5": (
        "5 different features in 30 days",
        {
            "kind": "measure",
            "name": "feature_used",
            "of": "distinct",
            "property": "feature",
            "op": "gte",
            "value": 5,
            "window": MONTH,
        },
        "SELECT profile_id FROM profiles_event WHERE name_id = 1 AND occurred_at > {at} - interval '30 days'"
        " AND occurred_at <= {at} GROUP BY 1 HAVING count(DISTINCT properties->'feature') >= 5",
    ),
    "S6": (
        "signed up, then exported within 7 days",
        {"kind": "sequence", "steps": [{"name": "signed_up"}, {"name": "report_exported"}], "within": {"days": 7}},
        "SELECT DISTINCT a.profile_id FROM profiles_event a WHERE a.name_id = 3 AND a.occurred_at <= {at} AND EXISTS ("
        "SELECT 1 FROM profiles_event b WHERE b.profile_id = a.profile_id AND b.name_id = 2"
        " AND b.occurred_at > a.occurred_at AND b.occurred_at <= a.occurred_at + interval '7 days'"
        " AND b.occurred_at <= {at})",
    ),
    "S7": (
        "half as much as the week before",
        S7,
        "SELECT profile_id FROM profiles_event WHERE occurred_at > {at} - interval '14 days' AND occurred_at <= {at}"
        " GROUP BY 1 HAVING count(*) FILTER (WHERE occurred_at <= {at} - interval '7 days') > 0"
        " AND 2 * count(*) FILTER (WHERE occurred_at > {at} - interval '7 days')"
        " <= count(*) FILTER (WHERE occurred_at <= {at} - interval '7 days')",
    ),
    "S8": (
        "the most active tenth in 30 days",
        {"kind": "top", "name": "feature_used", "percent": 10, "window": MONTH},
        "SELECT profile_id FROM (SELECT profile_id, rank() OVER (ORDER BY count(*) DESC) AS r, count(*) OVER () AS n"
        " FROM profiles_event WHERE name_id = 1 AND occurred_at > {at} - interval '30 days' AND occurred_at <= {at}"
        " GROUP BY 1) x WHERE r <= ceil(n * 0.1)",
    ),
    "S9": (
        "four of these with and, or, not",
        {"all": [{"any": [S1, S2]}, {"not": S7}, {"not": S4}]},
        "SELECT p.id FROM profiles_profile p"
        " WHERE ((attributes->>'plan' = 'pro' AND (attributes->>'mrr')::numeric > 100)"
        " OR p.id IN ({S2})) AND p.id NOT IN ({S7}) AND p.id NOT IN ({S4})",
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--explain", default="", help="print the plan of this question, such as S2 (or refresh)")
    options = parser.parse_args()
    with _server():
        _fill(options.people, options.events)
        slow = _nine(options)
        slow += _touched(options)
    if slow:
        sys.exit(f"too slow: {'; '.join(slow)}")


@contextmanager
def _server() -> Iterator[None]:
    """An embedded server of our own, migrated."""
    with tempfile.TemporaryDirectory(prefix="cairn-bench-") as home, ExitStack() as held:
        for name in ("DATABASE_URL", "DATABASE_OWNER_URL"):
            os.environ.pop(name, None)
        os.environ |= {
            "CAIRN_HOME": home,
            "CAIRN_CLOCK": "manual",
            "CAIRN_WAKE_UPS": "off",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "LOG_LEVEL": "WARNING",
        }
        from config.embedded import lending

        held.enter_context(lending.borrowed())
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connections

        held.callback(connections.close_all)
        call_command("migrate", verbosity=0)
        with connections["default"].cursor() as cursor:
            cursor.execute("SET max_parallel_workers_per_gather = 0")
        yield


def _fill(people: int, events: int) -> None:
    from django.db import connections

    began = time.perf_counter()
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT setseed(0.5)")
        for statement in (PEOPLE, TYPES, EVENTS, DAYS):
            cursor.execute(statement, {"people": people, "events": events, "at": AT})
        cursor.execute("INSERT INTO segments_watch (profile_id) SELECT id FROM profiles_profile")
        cursor.execute("VACUUM ANALYZE")
    print(f"{people:,} people and {events:,} events over 180 days, made in {time.perf_counter() - began:.0f} s\n")


def _nine(options: argparse.Namespace) -> list[str]:
    from benchmarks import _duck
    from segments.language import parse

    by_hand = _by_hand()
    slow, rows = [], []
    print(f"{'':38} {'people':>8} {'ours':>9} {'by hand':>9} {'DuckDB':>9} {'to hand':>8} {'to DuckDB':>9}")
    with _duck.copied(AT) as ask_duck:
        for key, (name, definition, _) in QUESTIONS.items():
            condition = parse(definition)
            expected = _asked(by_hand[key])
            wrong = "" if condition.matching(None, at=AT) == expected else "   DIFFERENT ANSWERS"
            (ours, found), (plain, _count), (duck, of_duck) = _in_turn(
                options.rounds,
                (_of_server, partial(condition.count, AT)),
                (_of_server, partial(_asked, f"SELECT count(*) FROM ({by_hand[key]}) x")),
                (time.process_time, partial(ask_duck, key)),
            )
            wrong = wrong or ("" if of_duck == found == len(expected) else "   DIFFERENT COUNTS")
            rows.append((key, ours / plain, ours / duck))
            figures = f"{ours * 1000:>6.1f} ms {plain * 1000:>6.1f} ms {duck * 1000:>6.1f} ms"
            print(f"{key} {name:<35} {found:>8,} {figures} {ours / plain:>8.2f} {ours / duck:>9.2f}{wrong}")
            if wrong or ours > AT_MOST * plain + 0.02:
                slow.append(f"{key} {name}{wrong}")
            if options.explain == key:
                _explain(condition)
    return slow + _against_duckdb(rows, options.events)


def _against_duckdb(rows: list[tuple[str, float, float]], events: int) -> list[str]:
    mean = statistics.geometric_mean([duck for *_, duck in rows])
    worst, of = max((duck, key) for key, _, duck in rows)
    to_hand = statistics.geometric_mean([hand for _, hand, _ in rows])
    print(f"geometric mean of the ratios: {to_hand:.2f} to SQL by hand, {mean:.2f} to DuckDB")
    print(f"the worst to DuckDB is {of} with {worst:.2f}\n")
    # Of little data the answer takes a few milliseconds, and what it takes to ask at all is most of it.
    return [f"{mean:.2f} to DuckDB"] if events >= 10_000_000 and (mean > OF_DUCKDB or worst > WORST_OF_DUCKDB) else []


def _by_hand() -> dict[str, str]:
    """The questions as plain SQL, those within others written out."""
    at = f"timestamptz '{AT.isoformat()}'"
    plain = {key: sql.replace("{at}", at) for key, (_, _, sql) in QUESTIONS.items()}
    for key in plain:
        for inner in plain:
            plain[key] = plain[key].replace(f"{{{inner}}}", plain[inner])
    return plain


def _asked(sql: str) -> set[Any]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql)
        return {row[0] for row in cursor.fetchall()}


def _explain(condition: Any) -> None:
    from segments.question import Question, ask, planned

    q = Question(AT, condition.names())
    text, params = q.select(["count(*)"], condition.holds(q))
    with planned(wide=True):
        print("\n".join(row[0] for row in ask(f"EXPLAIN (ANALYZE, BUFFERS) {text}", params)))


def _of_server() -> float:
    """The processor time of our connection's process so far, in seconds; the time of day where that is not told."""
    from django.db import connection

    connection.ensure_connection()
    try:
        return int(Path(f"/proc/{connection.connection.info.backend_pid}/schedstat").read_text().split()[0]) / 1e9
    except OSError:
        return time.perf_counter()


def _both() -> float:
    """The processor time of our own process, and of the server's for us."""
    return time.process_time() + _of_server()


def _in_turn(rounds: int, *asked: tuple[Callable[[], float], Callable[[], Any]]) -> list[tuple[float, Any]]:
    """What each takes by its clock, in the middle, and what it found; in turn, so that what others do slows all."""
    times: list[list[float]] = [[] for _ in asked]
    found = [ask() for _, ask in asked]
    for _ in range(rounds):
        for place, (clock, ask) in enumerate(asked):
            began = clock()
            found[place] = ask()
            times[place].append(clock() - began)
    return [(statistics.median(taken), answer) for taken, answer in zip(times, found, strict=True)]


def _taken(do: Callable[[], Any], clock: Callable[[], float] = _both) -> tuple[float, Any]:
    """What it takes once."""
    began = clock()
    found = do()
    return clock() - began, found


def _fifty() -> Iterator[tuple[str, Any]]:
    """Fifty segments such as teams have: on counts and recency, values, properties, order, and each other."""
    for n in range(15):
        yield f"count-{n}", {**S2, "name": f"event_{5 + n}", "count": {"op": "gte", "value": 1 + n % 4}}
    for n in range(8):
        yield (
            f"gone-{n}",
            {
                "kind": "recency",
                "name": ["*", f"event_{9 + n}"][n % 2],
                "op": "more_than_ago",
                "value": {"days": 7 + n},
            },
        )
    for n in range(8):
        yield f"value-{n}", {"all": [{"kind": "attribute", "name": "mrr", "op": "gt", "value": 40 * n}, S1]}
    for n in range(5):
        yield f"export-{n}", {**S4, "count": {"op": "gte", "value": 1 + n}}
    for n in range(4):
        yield f"trend-{n}", {**S7, "percent": 20 + 15 * n}
    for n in range(3):
        yield f"order-{n}", {**QUESTIONS["S6"][1], "within": {"days": 2 + n}}
    for n in range(3):
        yield f"figure-{n}", {**QUESTIONS["S5"][1], "value": 3 + n}
    for n in range(4):
        yield (
            f"both-{n}",
            {"all": [{"kind": "segment", "slug": f"count-{n}"}, {"not": {"kind": "segment", "slug": f"gone-{n}"}}]},
        )


def _touched(options: argparse.Namespace) -> list[str]:
    from django.db import connection, transaction

    from profiles.models import EventType, Profile
    from profiles.pulses import Taken
    from segments import live, membership

    slow = _built()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE segments_membership")
    names = frozenset(EventType.objects.values_list("id", flat=True))
    people = list(Profile.objects.order_by("id").values_list("id", flat=True)[:1_000])
    later = AT + timedelta(hours=1)

    def refresh(count: int) -> int:
        taken = [Taken(id, frozenset({"event"}), names, frozenset(), (), None, None) for id in people[:count]]
        with transaction.atomic():
            found = membership.refresh(taken, now=later)
            transaction.set_rollback(True)
        return len(found)

    def one_by_one() -> int:
        return sum(len(one.condition.matching(people[:500], at=later)) for one in live.read().live)

    counts = (50, 500, 1_000)
    *took, (apart, _) = _in_turn(
        options.rounds, *((_both, partial(refresh, count)) for count in counts), (_both, one_by_one)
    )
    for count, (seconds, found) in zip(counts, took, strict=True):
        print(f"{count:>5,} touched people in 50 segments, {found:>4,} changes: {seconds * 1000:>5.0f} ms")
    half, whole = took[1][0], took[2][0]
    print(
        f"  500 people, a segment at a time, nothing written: {apart * 1000:.0f} ms; together {half / apart:.2f} of it"
    )
    if half > OF_ONE_BY_ONE * apart:
        slow.append(f"500 touched people take {half / apart:.2f} of a question a segment")
    if whole > TWICE_THE_PEOPLE * half:
        slow.append(f"twice the people take {whole / half:.1f} times as long")
    if options.explain == "refresh":
        _explain_refresh(people[:500])
    _hundredth()
    slow += _hour()
    return slow


def _built() -> list[str]:
    """Fifty segments saved and built together; asked of everybody together, and one by one."""
    from segments import building, definitions, live
    from segments.models import Membership

    def save() -> int:
        with definitions.together(now=AT):
            for slug, definition in _fifty():
                definitions.save(slug, definition=definition, status="live", now=AT)
        return Membership.objects.count()

    took, count = _taken(save)
    print(f"50 segments saved and built, {count:,} memberships: {took:.1f} s")
    every = live.read().live

    def ask(sets: Iterable[list[Any]]) -> int:
        return sum(len(found) for some in sets for found in building.suspects(some, now=AT, limit=1_000).values())

    (together, missed), (apart, _) = _in_turn(
        1, (_both, lambda: ask(building.together(every))), (_both, lambda: ask([one] for one in every))
    )
    print(f"  asked of everybody: {together:.1f} s together, {apart:.1f} s one by one, {together / apart:.2f} of it")
    return [f"{missed} people are not where they should be"] if missed else []


def _hundredth() -> None:
    """A hundredth of a large segment's members changes behind its back, and a build writes the difference."""
    from django.db import connection, transaction

    from segments import building, live
    from segments.models import Cause, Segment

    segment = max(Segment.objects.all(), key=lambda one: one.size)
    [one] = [one for one in live.read().live if one.id == segment.id]
    [(asked, _count)] = _in_turn(3, (_both, partial(one.condition.count, AT)))
    times, changed = [], 0
    for number in range(3):
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(
                    "DELETE FROM segments_membership WHERE segment_id = %s AND id %% 100 = %s", [segment.id, number]
                )
            took, [built] = _taken(partial(building.build, [segment], now=AT, cause=Cause.TIME))
            times.append(took)
            changed = built.entered + built.left
            transaction.set_rollback(True)
    took = statistics.median(times)
    print(
        f"{changed:,} of {segment.size:,} members written anew: {took * 1000:.0f} ms,"
        f" {asked * 1000:.0f} ms of it to ask everybody"
    )


def _hour() -> list[str]:
    """An hour passes: those whose time has come are touched and asked again; then the safety net, for comparison."""
    from django.db import connection, transaction

    from profiles import pulses
    from segments import live, membership, sweep
    from segments.models import Segment

    took, _ = _taken(partial(sweep.tick, AT))
    print(f"when time will move whom, worked out for everybody once: {took:.1f} s")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE segments_watch")
    later = AT + timedelta(hours=1)

    def ask_again() -> int:
        changes = 0
        while True:
            with transaction.atomic():
                taken = pulses.claim(500, now=later)
                changes += len(membership.refresh(taken, now=later))
            if not taken:
                return changes

    found, touched = _taken(partial(sweep.tick, later))
    took, changes = _taken(ask_again)
    print(
        f"an hour passes: {touched:,} people touched ({found:.2f} s), {changes:,} changes: {found + took:.2f} s in all"
    )
    Segment.objects.update(swept_at=None)
    net, missed = _taken(partial(sweep.tick, later))
    print(f"all 50 segments compared with everybody: {missed} missed, {net:.2f} s")
    slow = [f"{missed} people were missed"] if missed else []
    fair = touched == 0 or len(live.read().live) < 50
    return slow if fair or found + took < net else [*slow, "an hour took longer than to ask everybody"]


def _explain_refresh(people: list[Any]) -> None:
    from segments import live
    from segments.question import Names, Question, ask, earliest

    todo = live.read().levels[0]
    names = Names.of(set().union(*(one.needs.events for one in todo)) | {"*"})
    q = Question(AT + timedelta(hours=1), names, among=people)
    holds = [one.condition.holds(q) for one in todo]
    soonest = earliest(moment for one in todo for moment in one.condition.changes(q))
    text, params = q.select(["p.id", *holds, soonest])
    print("\n".join(row[0] for row in ask(f"EXPLAIN (ANALYZE, BUFFERS) {text}", params)))


if __name__ == "__main__":
    main()
