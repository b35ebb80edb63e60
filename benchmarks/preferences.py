"""How fast the customer's page is, under a steady stream of people who open it, each by a link of their own (PP-22).

    python -m benchmarks.preferences [--people 1000000] [--rate 100] [--seconds 60] [--pages 500] [--processes 2]

Through real processes: `manage.py up` in a home of its own, so many people with choices, messages and a group, and so
many requests a second, whether or not the ones before were answered. It says how long they took, how large a page is,
and how much processor time a page takes of the web process and of the database, which others change little.
"""

import argparse
import http.client
import os
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from benchmarks.latency import _house, _spent

AT_MOST = 200.0  # milliseconds, for 95 of 100
LARGEST = 50 * 1024  # bytes, as they travel
CORES = 2.0
ROOM = 0.8  # of the processors' time that the stream may take, so that there is room beside

PEOPLE = """
    INSERT INTO profiles_profile
        (id, external_id, email, phone, locale, timezone, first_seen_at, last_seen_at, attributes, attribute_times)
    SELECT md5('person' || n)::uuid, 'person-' || n, 'p' || n || '@example.net', NULL,
        (ARRAY['de', 'en', 'fr', 'es'])[1 + n %% 4], 'Europe/Vienna', %(at)s, %(at)s,
        jsonb_build_object('plan', (ARRAY['free', 'trial', 'pro'])[1 + n %% 3], 'seats', n %% 50, 'city', 'Graz'), '{}'
    FROM generate_series(1, %(people)s) n
"""
SETTLED = ("profiles_profile", "consent_consentrecord", "consent_consentstate", "messaging_message")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--rate", type=float, default=100.0, help="pages a second")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--pages", type=int, default=500, help="people who open theirs, in turn")
    parser.add_argument("--processes", type=int, default=2, help="of the web: one a core")
    options = parser.parse_args()
    os.environ["WEB_PROCESSES"] = str(options.processes)
    with _house() as (port, _, _):
        paths = _prepare(options.people, options.pages)
        _stream(port, paths, 20, min(5.0, options.seconds))
        before, idle_before = _spent(), time.time()
        time.sleep(3)
        idle = {part: (used - before.get(part, 0.0)) / (time.time() - idle_before) for part, used in _spent().items()}
        before, began = _spent(), time.time()
        took, sizes, errors = _stream(port, paths, options.rate, options.seconds)
        lasted = time.time() - began
        spent = {part: used - before.get(part, 0.0) - idle.get(part, 0.0) * lasted for part, used in _spent().items()}
    p50, p95, p99 = (_at(took, share) for share in (0.5, 0.95, 0.99))
    share = sum(spent.get(part, 0.0) for part in ("web", "database")) / lasted / CORES
    print(f"{options.people:,} people, {options.rate:.0f} pages a second for {options.seconds:.0f} s:")
    print(f"  {len(took):,} pages: p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms; {errors} errors")
    print(f"  a page: {statistics.median(sizes) / 1_024:.1f} KB on its way, {max(sizes) / 1_024:.1f} KB at most")
    for part in ("web", "database"):
        print(f"  processor time a page, {part}: {spent.get(part, 0.0) / len(took) * 1_000:.1f} ms")
    print(f"  which is {share:.0%} of {CORES:.0f} processors")
    wrong = [
        f"{errors} errors" if errors else "",
        f"a page of {max(sizes):,} bytes" if max(sizes) > LARGEST else "",
        f"{share:.0%} of the processors' time at {options.rate:.0f} pages a second" if share > ROOM else "",
        f"p95 of {p95:.0f} ms" if p95 > AT_MOST and share <= ROOM else "",
    ]
    if any(wrong):
        sys.exit(f"beyond what is aimed at: {', '.join(filter(None, wrong))}")


def _at(took: Sequence[float], share: float) -> float:
    return sorted(took)[int(len(took) * share)]


def _stream(port: int, paths: Sequence[str], rate: float, seconds: float) -> tuple[list[float], list[int], int]:
    """Opens pages at a steady pace: milliseconds of each from when it was due, its bytes, and how many failed."""
    took: list[float] = []
    sizes: list[int] = []
    errors = 0
    held = threading.local()
    began = time.perf_counter() + 0.1

    def open_(number: int) -> tuple[float, int, int]:
        due = began + number / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        if not hasattr(held, "line"):
            held.line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        headers = {"Host": "127.0.0.1", "Accept-Encoding": "gzip"}
        try:
            held.line.request("GET", paths[number % len(paths)], headers=headers)
            answer = held.line.getresponse()
            size = len(answer.read())
            status = answer.status
        except (OSError, http.client.HTTPException):
            del held.line
            size, status = 0, 0
        return (time.perf_counter() - due) * 1_000, size, status

    with ThreadPoolExecutor(max_workers=64) as pool:
        for time_taken, size, status in pool.map(open_, range(int(rate * seconds))):
            took.append(time_taken)
            sizes.append(size)
            errors += status != 200
    return took, sizes, errors


def _prepare(people: int, pages: int) -> list[str]:
    """The people, what those said and got whose pages are opened, and the paths of their pages."""
    from django.db import connections, transaction

    from consent import ledger, links, topics
    from consent.ledger import Choice
    from consent.models import ConsentRecord
    from foundation import clock
    from messaging.models import Message
    from messaging.outbox import Request, enqueue
    from profiles.models import Profile
    from segments import definitions

    now = clock.now()
    with connections["owner"].cursor() as cursor, transaction.atomic(using="owner"):
        cursor.execute(PEOPLE, {"people": people, "at": now})
    words: dict[str, Any] = {"description": "What it is about.", "purpose": "To tell you.", "basis": "consent"}
    for name in ("News", "Tips", "Offers", "Events"):
        topics.save(name.lower(), name=name, **words, channels=["email", "sms"], now=now)
    definition = {"kind": "attribute", "name": "city", "op": "is", "value": "Graz"}
    definitions.save("graz", name="In Graz", definition=definition, status="draft", now=now)
    ids = [f"person-{1 + n * (people // pages)}" for n in range(pages)]
    chosen = list(Profile.objects.filter(external_id__in=ids))
    choices = [
        Choice(
            profile_id=one.id, topic=topic, channel="email", state="granted", source=ConsentRecord.Source.PAGE,
            wording="Yes.", evidence={"control": "Save"},
        )
        for one in chosen for topic in ("news", "tips", "offers")
    ]  # fmt: skip
    ledger.record(choices, now=now)
    requests = [
        Request(key=f"bench:{one.id}:{n}", profile_id=one.id, template="hello", channel="email")
        for one in chosen for n in range(10)
    ]  # fmt: skip
    enqueue(requests, now=now)
    Message.objects.filter(idempotency_key__startswith="bench:").update(
        state="sent", subject="Hello", text="Hello. " * 200, sending_at=now, sent_at=now
    )
    _in_a_group([one.id for one in chosen], now)
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"ANALYZE {', '.join(SETTLED)}")
    paths = [urlsplit(links.preferences_url(one, now)).path for one in chosen]
    connections.close_all()
    return paths


def _in_a_group(people: list[Any], now: datetime) -> None:
    from segments import definitions, membership

    group = definitions.save("pilots", name="Pilots", kind="static", status="live", now=now)
    membership.add(group, people, now=now)


if __name__ == "__main__":
    main()
