"""How fast people enter a journey and go on in it, next to a worker that takes them one by one, in the same run.

    python -m benchmarks.journeys [--people 20000] [--workers 2] [--waiting 100000] [--profile]

People enter, wait, part ways by a condition and by chance, and get a message. The other way is what a careful hand
writes first: claim one, decide, update, log, queue the message, commit; psycopg on the very same tables, without any of
our code. Last of all, what a person costs where few wait, and where `--waiting` others do.
"""

import argparse
import cProfile
import multiprocessing
import os
import pstats
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

AT = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
# Times of what the way one by one does. Below this something is wrong; docs say what is usual.
AT_LEAST = 6.0
ONE_BY_ONE = 1_500
FLAT = 1.5  # of what a person costs where few wait
DUE = 5_000

PEOPLE = """
    INSERT INTO profiles_profile (id, external_id, first_seen_at, last_seen_at, attributes, attribute_times, email)
    SELECT md5('person' || n)::uuid, 'person-' || n, %(at)s, %(at)s,
        jsonb_build_object('plan', (ARRAY['free', 'trial', 'pro', 'team'])[1 + n %% 4]), '{}',
        'p' || n || '@example.com'
    FROM generate_series(1, %(people)s) n
"""
MEMBERS = """
    INSERT INTO segments_membership (segment_id, profile_id, entered_at, cause)
    SELECT s.id, p.id, %(at)s, 'hand' FROM segments_segment s, profiles_profile p
"""
# The first people are due, as if they had just waited; beside them others wait, whom nobody needs to know.
WAITING = """
    WITH others AS (
        INSERT INTO journeys_enrollment (id, journey_id, version_id, profile_id, step, state, due_at, awaits,
            entered_at, step_entered_at, entry_key, exclusive, context, passed, reason, ended_by, attempts)
        SELECT gen_random_uuid(), j.id, j.version_id, p.id, 'pause', 'active', %(far)s, '{}', %(at)s, %(at)s,
            'other ' || n, false, '{}', '{}', '', '', 0
        FROM generate_series(1, %(n)s) n, journeys_journey j, (SELECT min(id::text)::uuid AS id FROM profiles_profile) p
    )
    UPDATE journeys_enrollment SET state = 'active', step = 'pause', due_at = entered_at, ended_at = NULL,
        step_entered_at = entered_at, ended_by = '', reason = ''
    WHERE id IN (SELECT id FROM journeys_enrollment WHERE due_at IS NULL ORDER BY id LIMIT %(due)s)
"""
DOCUMENT = {
    "entry": {"trigger": {"kind": "segment_entered", "slug": "all"}},
    "steps": [
        {"key": "pause", "kind": "wait", "for": {"days": 2}},
        {
            "key": "fork",
            "kind": "branch",
            "arms": [
                {
                    "key": "pro",
                    "when": {"kind": "attribute", "name": "plan", "op": "is", "value": "pro"},
                    "steps": [
                        {
                            "key": "dice",
                            "kind": "split",
                            "arms": [{"key": "a", "weight": 50, "steps": []}, {"key": "b", "weight": 50, "steps": []}],
                        },
                        {"key": "tips", "kind": "message", "channel": "email", "template": "hello"},
                    ],
                },
                {
                    "key": "rest",
                    "steps": [{"key": "help", "kind": "message", "channel": "email", "template": "hello"}],
                },
            ],
        },
    ],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=2, help="how many at once, in a second round; 1: no such round")
    parser.add_argument("--waiting", type=int, default=100_000, help="how many others wait in the last round; 0: none")
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    options = parser.parse_args()
    with _server():
        _fill(options.people)
        one_by_one = _one_by_one()
        from journeys import engine

        entering = _rate("enter", options.people, lambda: engine.advance(AT), options.profile)
        _tidy()
        later = AT + timedelta(days=2)
        going_on = _rate("go on", options.people, lambda: engine.advance(later), options.profile)
        _check(options.people)
        print(f"\none by one            {one_by_one:>9,.0f} people/s")
        print(f"entering              {entering:>9,.0f} people/s   {entering / one_by_one:5.1f}")
        print(f"wait, branch, split, message {going_on:>2,.0f} people/s   {going_on / one_by_one:5.1f}")
        if options.workers > 1:
            together = _together(options.workers, options.people)
            print(
                f"{options.workers} workers at once     {together:>9,.0f} people/s   {together / going_on:5.1f} of one"
            )
        growth = _growth(options.people, options.waiting) if options.waiting else 1.0
    if growth > FLAT:
        sys.exit(f"a person costs {growth:.1f} times as much where {options.waiting:,} others wait")
    if min(going_on, entering) < AT_LEAST * one_by_one:
        sys.exit(f"slower than {AT_LEAST} times the way one by one")


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
        yield


def _owner(*statements: str, **params: Any) -> None:
    from django.db import connections

    with connections["owner"].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement, params or None)


def _fill(people: int) -> None:
    from consent import topics
    from journeys import publishing
    from messaging import templates
    from segments import definitions

    words: dict[str, Any] = {
        "name": "Product",
        "description": "It.",
        "purpose": "To help.",
        "basis": "legitimate_interest",
    }
    topics.save("product", **words, channels=["email"], now=AT)
    blocks = [{"kind": "text", "text": "Hello."}]
    templates.save("hello", name="Hello", channel="email", topic="product", subject="Hi", blocks=blocks, now=AT)
    definitions.save("all", name="All", kind="static", status="live", definition={"all": []}, now=AT)
    _owner(PEOPLE, MEMBERS, at=AT, people=people)
    publishing.save("bench", name="Bench", document=DOCUMENT, now=AT)
    publishing.publish("bench", include_members=True, now=AT)
    _owner("VACUUM ANALYZE")
    print(f"{people:,} people")


# ── One by one ───────────────────────────────────────────────────────────────────────────────────────────────────────
def _one_by_one() -> float:
    """People a second whom a loop takes through wait, branch and message, one in a transaction."""
    import psycopg
    from django.db import connection

    _owner(
        "INSERT INTO journeys_enrollment (id, journey_id, version_id, profile_id, step, state, due_at, awaits,"
        " entered_at, step_entered_at, entry_key, exclusive, context, passed, reason, ended_by, attempts)"
        " SELECT gen_random_uuid(), j.id, j.version_id, p.id, 'pause', 'active', %(at)s, '{}', %(at)s, %(at)s, p.id,"
        " true, '{}', '{}', '', '', 0 FROM journeys_journey j, (SELECT id FROM profiles_profile LIMIT %(n)s) p",
        at=AT,
        n=ONE_BY_ONE,
    )
    _tidy()
    connection.ensure_connection()
    with psycopg.connect(connection.connection.info.dsn) as link:
        template = link.execute("SELECT id, topic_id FROM messaging_template").fetchone()
        assert template is not None
        link.commit()
        began = time.perf_counter()
        done = 0
        while _take_one(link, template):
            done += 1
        took = time.perf_counter() - began
    assert done == ONE_BY_ONE
    _owner(
        "DELETE FROM journeys_transition",
        "DELETE FROM journeys_enrollment",
        "DELETE FROM messaging_message",
        "VACUUM ANALYZE journeys_enrollment, journeys_transition, messaging_message",
    )
    return done / took


def _take_one(link: Any, template: Any) -> bool:
    one = link.execute(
        "SELECT id, profile_id, version_id FROM journeys_enrollment WHERE state = 'active' AND due_at <= %s"
        " ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED",
        [AT],
    ).fetchone()
    if one is None:
        return False
    id, profile, version = one
    pro = link.execute("SELECT attributes->>'plan' = 'pro' FROM profiles_profile WHERE id = %s", [profile]).fetchone()[
        0
    ]
    step = "tips" if pro else "help"
    link.execute(
        "UPDATE journeys_enrollment SET step = %s, state = 'completed', ended_by = 'course', due_at = NULL,"
        " ended_at = %s, reason = 'They came to the end.' WHERE id = %s",
        [step, AT, id],
    )
    link.execute(
        "INSERT INTO journeys_transition (enrollment_id, version_id, step, kind, answer, arm, at, reason)"
        " VALUES (%s, %s, 'pause', 'wait', 'advance', '', %s, 'It is over.'),"
        " (%s, %s, 'fork', 'branch', 'advance', %s, %s, 'So it was.'),"
        " (%s, %s, %s, 'message', 'advance', '', %s, 'Queued.')",
        [id, version, AT, id, version, "pro" if pro else "rest", AT, id, version, step, AT],
    )
    link.execute(
        "INSERT INTO messaging_message SELECT (jsonb_populate_record(NULL::messaging_message, %s)).*",
        [_message(id, profile, template, step)],
    )
    link.commit()
    return True


def _message(enrollment: Any, profile: Any, template: Any, step: str) -> Any:
    from uuid import uuid4

    from django.db.models import NOT_PROVIDED
    from psycopg.types.json import Jsonb

    from messaging.models import Message

    blank: dict[str, Any] = {}
    for field in Message._meta.concrete_fields:
        if field.default is not NOT_PROVIDED and not field.primary_key:
            blank[str(field.column)] = field.get_default()
        elif not field.null and field.get_internal_type() in ("CharField", "TextField"):
            blank[str(field.column)] = ""
    blank |= {
        "id": str(uuid4()),
        "idempotency_key": f"{enrollment}:{step}",
        "profile_id": str(profile),
        "template_id": template[0],
        "topic_id": template[1],
        "channel": "email",
        "enrollment": str(enrollment),
        "step": step,
        "due_at": AT.isoformat(),
        "queued_at": AT.isoformat(),
    }
    return Jsonb(blank)


# ── Our way ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def _all(run: Callable[[], int]) -> int:
    """Runs it until it finds nothing more: a run goes on for a while, and the next takes over."""
    total = 0
    while done := run():
        total += done
    return total


def _rate(name: str, people: int, run: Callable[[], int], profiled: bool) -> float:
    profile = cProfile.Profile()
    began = time.perf_counter()
    done = profile.runcall(_all, run) if profiled else _all(run)
    took = time.perf_counter() - began
    assert done >= people, f"{name}: {done:,} of {people:,}"
    if profiled:
        pstats.Stats(profile).sort_stats("cumulative").print_stats(30)
    return people / took


def _tidy() -> None:
    """What autovacuum does in the days that the people wait."""
    _owner("VACUUM ANALYZE journeys_enrollment", "VACUUM ANALYZE journeys_transition")


def _check(people: int) -> None:
    """That all of it was done, and nothing else."""
    from journeys import audit
    from journeys.models import Enrollment
    from messaging.models import Message

    assert Enrollment.objects.filter(state="completed").count() == Message.objects.count() == people
    assert audit.breaches(AT + timedelta(days=2)) == []


def _together(workers: int, people: int) -> float:
    """The same again with several at once: everybody is put back to where they waited."""
    from django.db import connections

    _owner(
        "DELETE FROM messaging_message",
        "DELETE FROM journeys_transition WHERE answer = 'advance'",
        "DELETE FROM profiles_claim",
        "DELETE FROM journeys_assignment",
        "UPDATE journeys_enrollment SET state = 'active', step = 'pause', due_at = entered_at, ended_at = NULL,"
        " step_entered_at = entered_at, ended_by = '', reason = ''",
    )
    _owner("VACUUM FULL ANALYZE journeys_enrollment")
    connections.close_all()
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(workers + 1)
    processes = [context.Process(target=_worker, args=(ready,)) for _ in range(workers)]
    for process in processes:
        process.start()
    ready.wait(120)
    began = time.perf_counter()
    for process in processes:
        process.join()
    took = time.perf_counter() - began
    from journeys.models import Enrollment

    assert Enrollment.objects.filter(state="completed").count() == people
    return people / took


def _growth(people: int, waiting: int) -> float:
    """How much more a person costs, of `DUE` who are due, where so many others wait than where none does."""
    from journeys import engine

    later = AT + timedelta(days=10)
    costs = []
    for others in (0, waiting):
        _owner(
            "DELETE FROM messaging_message",
            "DELETE FROM journeys_transition WHERE answer = 'advance'",
            "DELETE FROM profiles_claim",
            "DELETE FROM journeys_assignment",
        )
        _owner(WAITING, at=AT, far=AT + timedelta(days=400), due=DUE, n=others)
        _owner("VACUUM FULL ANALYZE journeys_enrollment", "VACUUM ANALYZE")
        began = time.perf_counter()
        assert _all(lambda: engine.advance(later)) >= min(DUE, people)
        costs.append((time.perf_counter() - began) / min(DUE, people) * 1e6)
    print(f"where {waiting:,} others wait {costs[1]:,.0f} µs a person, where none does {costs[0]:,.0f} µs")
    return costs[1] / costs[0]


def _worker(ready: Any) -> None:
    import django

    django.setup()
    from django.db import connection

    from foundation import loops
    from journeys import tasks  # noqa: F401 (joins the loop)

    connection.ensure_connection()
    ready.wait(120)
    # As a worker does it, ties and all.
    while loops.attempt("journeys.advance", AT + timedelta(days=3)):
        pass


if __name__ == "__main__":
    main()
