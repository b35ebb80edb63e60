"""How fast events come in, next to a COPY of the same rows into the same tables, which is what the machine can do.

    python -m benchmarks.ingest [--events 50000] [--people 5000] [--no-http]

Each way starts on an empty table of a real server that writes to the disk before it says yes.
"""

import argparse
import base64
import gzip
import http.client
import json
import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

STRAIGHT, PATH = "COPY straight, the limit", "COPY, claims and counts"
# Of what PATH does in the same run, which stores once each and counts, but finds no people and judges no items. The aim
# for HTTP on a machine that does nothing else is a quarter; below these something is wrong.
AT_LEAST = {"take, batches of 100": 0.1, "take, batches of 500": 0.15, "HTTP, batches of 100": 0.1}
NAMES = [f"event_{n}" for n in range(40)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--people", type=int, default=50_000)
    parser.add_argument("--no-http", action="store_true")
    parser.add_argument("--profile", action="store_true", help="print where the time of take goes")
    options = parser.parse_args()
    with _server():
        rates = _measure(options)
    limit, path = rates[STRAIGHT], rates[PATH]
    print(f"\n{options.events:,} events of {options.people:,} people")
    for way, rate in rates.items():
        print(f"  {way:<26} {rate:>9,.0f} events/s   {rate / limit:5.2f} of the limit   {rate / path:5.2f} of the path")
    slow = [way for way, least in AT_LEAST.items() if way in rates and rates[way] < least * path]
    if slow:
        sys.exit("; ".join(f"{way}: below {AT_LEAST[way]} of {PATH}" for way in slow))


@contextmanager
def _server() -> Iterator[None]:
    """An embedded server of our own, migrated."""
    with tempfile.TemporaryDirectory(prefix="cairn-bench-", ignore_cleanup_errors=True) as home, ExitStack() as held:
        for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "CAIRN_CLOCK"):
            os.environ.pop(name, None)
        os.environ |= {
            "CAIRN_HOME": home,
            "CAIRN_WAKE_UPS": "off",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "LOG_LEVEL": "WARNING",
        }
        from config.embedded import lending

        held.callback(_wait_for_the_end, Path(home))
        held.enter_context(lending.borrowed())
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connections

        held.callback(connections.close_all)
        call_command("migrate", verbosity=0)
        yield


def _wait_for_the_end(home: Path) -> None:
    """Returns once the server's keeper has stopped it, so that its folder can go."""
    until = time.monotonic() + 30
    while (home / "postgres" / "data" / "postmaster.pid").exists() and time.monotonic() < until:
        time.sleep(0.1)


def _measure(options: argparse.Namespace) -> dict[str, float]:
    from foundation import clock

    items = _items(options.events, options.people, clock.now())
    _meet(items)
    rates = {STRAIGHT: _timed(items, _copy), PATH: _timed(items, _copy_and_count)}
    for size in (100, 500):
        rates[f"take, batches of {size}"] = _timed(items, partial(_take, size=size))
    if options.profile:
        _profiled(items)
    if not options.no_http:
        rates["HTTP, batches of 100"] = _over_http(items)
    return rates


def _items(events: int, people: int, now: datetime) -> list[dict[str, Any]]:
    """Tracks of the last 20 hours: names by Zipf, people by a power law, half of them known."""
    chance = random.Random(1)
    who = [f"person-{int(people * chance.random() ** 2)}" for _ in range(events)]
    what = chance.choices(NAMES, weights=[1 / rank for rank in range(1, len(NAMES) + 1)], k=events)
    return [
        {
            "type": "track",
            "userId" if hash(person) % 2 else "anonymousId": person,
            "event": name,
            "timestamp": (now - timedelta(seconds=chance.random() * 72_000)).isoformat(),
            "messageId": f"bench-{chance.getrandbits(96):024x}",
            "context": {"library": {"name": "analytics-python", "version": "2.4.0"}},
            "integrations": {},
            "properties": {"plan": "pro", "seats": chance.randrange(50), "path": f"/reports/{chance.randrange(900)}"},
        }
        for person, name in zip(who, what, strict=True)
    ]


def _meet(items: Sequence[dict[str, Any]]) -> None:
    """Makes the people, so that what is measured is what they do and not that they are new."""
    met = {item.get("userId") or item["anonymousId"]: item for item in items}
    for start in range(0, len(met), 500):
        _take([{**item, "messageId": None} for item in list(met.values())[start : start + 500]], 500)


def _timed(items: Sequence[dict[str, Any]], work: Callable[[Sequence[dict[str, Any]]], None]) -> float:
    _empty()
    start = time.perf_counter()
    work(items)
    rate = len(items) / (time.perf_counter() - start)
    _check(len(items))
    return rate


def _empty() -> None:
    from django.db import connections

    with connections["owner"].cursor() as cursor:
        cursor.execute("TRUNCATE profiles_event, profiles_eventday, profiles_claim, profiles_pulse, profiles_arrival")
        cursor.execute("ANALYZE profiles_profile, profiles_identifier")


def _check(events: int) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM profiles_event")
        assert cursor.fetchone()[0] == events, "not every event was stored"


_COLUMNS = "message_id, profile_id, name_id, occurred_at, received_at, properties"


def _copy(items: Sequence[dict[str, Any]], table: str = "profiles_event") -> None:
    from django.db import connection

    ids: dict[str, str] = {}
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({_COLUMNS}) FROM STDIN") as copy:
        for item in items:
            person = item.get("userId") or item["anonymousId"]
            profile = ids.setdefault(person, f"{random.Random(person).getrandbits(128):032x}")
            name, at = NAMES.index(item["event"]), item["timestamp"]
            copy.write_row((item["messageId"], profile, name, at, at, json.dumps(item["properties"])))


def _copy_and_count(items: Sequence[dict[str, Any]]) -> None:
    """As an import by hand would do it: 5,000 a transaction, each message once, with the days' counts."""
    from django.db import connection, transaction

    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE fresh (message_id text, profile_id uuid, name_id integer, occurred_at timestamptz,"
            " received_at timestamptz, properties jsonb) ON COMMIT DELETE ROWS"
        )
        for start in range(0, len(items), 5_000):
            with transaction.atomic():
                _copy(items[start : start + 5_000], "fresh")
                cursor.execute(_FROM_FRESH)


_FROM_FRESH = f"""
    WITH named AS MATERIALIZED (SELECT md5(message_id)::uuid AS claim, * FROM fresh),
    won AS (
        INSERT INTO profiles_claim (id, received_at) SELECT claim, now() FROM named ORDER BY claim
        ON CONFLICT DO NOTHING RETURNING id
    ), new AS MATERIALIZED (SELECT n.* FROM named n JOIN won ON won.id = n.claim),
    counted AS (
        INSERT INTO profiles_eventday AS d (profile_id, name_id, day, n, first_at, last_at)
        SELECT profile_id, name_id, (occurred_at AT TIME ZONE 'UTC')::date, count(*), min(occurred_at), max(occurred_at)
        FROM new GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        ON CONFLICT (profile_id, name_id, day) DO UPDATE SET n = d.n + excluded.n,
            first_at = least(d.first_at, excluded.first_at), last_at = greatest(d.last_at, excluded.last_at)
    )
    INSERT INTO profiles_event ({_COLUMNS}) SELECT {_COLUMNS} FROM new
"""


def _take(items: Sequence[dict[str, Any]], size: int) -> None:
    from foundation import clock
    from profiles.ingest import Trust, take

    for start in range(0, len(items), size):
        take(items[start : start + size], source="key:Bench", trust=Trust.SERVER, now=clock.now())


def _profiled(items: Sequence[dict[str, Any]]) -> None:
    import cProfile
    import pstats

    _empty()
    profile = cProfile.Profile()
    profile.enable()
    _take(items[:20_000], 100)
    profile.disable()
    pstats.Stats(profile).sort_stats("tottime").print_stats(40)


def _over_http(items: Sequence[dict[str, Any]]) -> float:
    from django.db import connections

    from foundation import clock
    from staff import keys
    from staff.models import Key

    _, secret = keys.create("Bench", kind=Key.Kind.SERVER, now=clock.now())
    _empty()
    bodies = [
        gzip.compress(json.dumps({"batch": list(items[n : n + 100]), "writeKey": secret}).encode(), 1)
        for n in range(0, len(items), 100)
    ]
    connections.close_all()
    with _web() as port:
        _post(port, secret, bodies[:1])  # the first loads what is loaded once
        start = time.perf_counter()
        senders = [
            multiprocessing.get_context("fork").Process(target=_post, args=(port, secret, bodies[1 + n :: 4]))
            for n in range(4)
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
            assert sender.exitcode == 0
        rate = (len(items) - 100) / (time.perf_counter() - start)
    _check(len(items))
    return rate


@contextmanager
def _web() -> Iterator[int]:
    """One web process, as `up` starts it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--no-ws", "--workers", "1"]
    command += ["--blocking-threads", "4", "--port", str(port), "--log-level", "error", "config.wsgi:application"]
    root = Path(__file__).resolve().parent.parent
    with subprocess.Popen(command, cwd=root) as web:
        try:
            until = time.monotonic() + 30
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    if time.monotonic() > until:
                        raise
                    time.sleep(0.1)
            yield port
        finally:
            web.send_signal(signal.SIGTERM)


def _post(port: int, secret: str, bodies: Sequence[bytes]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    user = base64.b64encode(f"{secret}:".encode()).decode()
    headers = {"Authorization": f"Basic {user}", "Content-Encoding": "gzip", "Content-Type": "application/json"}
    for body in bodies:
        connection.request("POST", "/v1/batch", body, headers)
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 200 and b"rejected" not in text, text[:500]
    connection.close()


if __name__ == "__main__":
    main()
