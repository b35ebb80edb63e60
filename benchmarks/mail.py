"""How fast mail goes out, next to a bare loop that sends the same mails and keeps no books.

    python -m benchmarks.mail [--mails 2000] [--workers 1] [--profile]
    python -m benchmarks.mail --caps

Ours is the whole way: queue, claim, judge by every guardrail under the lock on consent, render, commit the intent,
hand over by SMTP, record the outcome, store the event. The other way is one process with one kept connection, Liquid
filled in and an EmailMessage built a mail. Both speak to the same SMTP server in another process, on a server that
writes to the disk before it says yes.

With --caps: how long it takes to judge 5,000 messages against caps, among 400,000 that were sent. On two busy cores
the statement takes 65 ms, all of it 460 ms, most of which is Python over 31,000 rows. Dispatch judges 50 at a time.
"""

import argparse
import cProfile
import email
import multiprocessing
import os
import pstats
import smtplib
import socket
import socketserver
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

AT = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
# Of what the bare loop does. Below this something is wrong; docs/messages.md says what is usual.
AT_LEAST = 0.25

PEOPLE = """
    INSERT INTO profiles_profile (id, external_id, first_seen_at, last_seen_at, attributes, attribute_times,
        email, first_name)
    SELECT md5('person' || n)::uuid, 'person-' || n, %(at)s, %(at)s,
        jsonb_build_object('plan', (ARRAY['free', 'trial', 'pro', 'team'])[1 + n %% 4]), '{}',
        'p' || n || '@example.com', 'Person ' || n
    FROM generate_series(1, %(people)s) n
"""
BLOCKS: list[dict[str, Any]] = [
    {"kind": "heading", "text": "Hello {{ profile.first_name | default: 'there' }}"},
    {"kind": "text", "text": "You are on **{{ profile.plan }}**{% if profile.plan == 'free' %}, still{% endif %}."},
    {"kind": "list", "items": ["One thing that is new", "Another thing", "And a third"]},
    {"kind": "button", "text": "Look", "href": "https://example.com/new?for={{ profile.external_id | url_encode }}"},
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=2_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--profile", action="store_true", help="print where our time goes")
    parser.add_argument("--caps", action="store_true", help="only judge against caps")
    options = parser.parse_args()
    if options.caps:
        with _server():
            _judge_against_caps()
        return
    with _server(), _mail_server() as (port, arrived):
        people = _prepare(options.mails, port)
        bare = _timed(lambda: _bare_loop(people, port), options.mails, arrived)
        ours = _timed(lambda: _dispatch(options), options.mails, arrived)
        _check(options.mails)
    print(f"\n{options.mails:,} mails, {options.workers} at once")
    print(f"  {'bare loop, no books':<28} {bare:>8,.0f} mails/s")
    print(f"  {'all guardrails, full ledger':<28} {ours:>8,.0f} mails/s   {ours / bare:5.2f} of the bare loop")
    if ours < AT_LEAST * bare:
        sys.exit(f"below {AT_LEAST} of the bare loop")


def _timed(work: Callable[[], None], mails: int, arrived: Any) -> float:
    before, started = arrived.value, time.perf_counter()
    work()
    took = time.perf_counter() - started
    if arrived.value - before != mails:
        raise SystemExit(f"{arrived.value - before} mails arrived, and not {mails}")
    return mails / took


def _prepare(mails: int, port: int) -> list[dict[str, Any]]:
    from django.conf import settings
    from django.db import connection

    from consent import ledger
    from consent.ledger import Choice
    from consent.models import Topic
    from messaging import outbox, templates
    from messaging.outbox import Request
    from profiles.models import Profile

    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    with connection.cursor() as cursor:
        cursor.execute(PEOPLE, {"at": AT, "people": mails})
    Topic.objects.create(slug="news", name="News", description="News.", purpose="To tell.", channels=["email"])
    templates.save(
        "hello", name="Hello", channel="email", topic="news", subject="News for {{ profile.first_name }}",
        blocks=BLOCKS, now=AT,
    )  # fmt: skip
    people: list[Any] = list(Profile.objects.values("id", "external_id", "email", "first_name", "attributes"))
    for start in range(0, mails, 1_000):
        batch = people[start : start + 1_000]
        ledger.record(
            [
                Choice(profile_id=one["id"], topic="news", channel="email", state="granted", source="page")
                for one in batch
            ],
            now=AT,
        )
        outbox.enqueue(
            [Request(key=str(one["id"]), profile_id=one["id"], template="hello", channel="email") for one in batch],
            now=AT,
        )
    return people


def _bare_loop(people: list[dict[str, Any]], port: int) -> None:
    """What a careful script does: the same template, parsed once; a mail built each; one connection."""
    import liquid

    from messaging.models import TemplateVersion

    version = TemplateVersion.objects.get()
    html = liquid.Environment(autoescape=True).from_string(version.html)
    text, subject = (liquid.Environment().from_string(part) for part in (version.text, version.subject))
    brand = {"name": "Cairn", "colour": "#0f766e"}
    links = {name: f"https://example.com/{name}/" + "x" * 100 for name in ("preferences", "unsubscribe")}
    connection = smtplib.SMTP("127.0.0.1", port)
    for one in people:
        values = {
            "profile": {**one["attributes"], **one},
            "links": links,
            "brand": brand,
            "why": "You get this because you agreed to News by email.",
        }
        mail = EmailMessage()
        mail["From"], mail["To"] = "Cairn <hello@example.com>", one["email"]
        mail["Subject"] = subject.render(**values)
        mail["Message-ID"] = f"<{one['id']}@example.com>"
        mail["Date"] = email.utils.localtime()
        mail["List-Unsubscribe"] = f"<{links['unsubscribe']}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        mail.set_content(text.render(**values))
        mail.add_alternative(html.render(**values), subtype="html")
        connection.send_message(mail)
    connection.quit()


def _dispatch(options: argparse.Namespace) -> None:
    from django.db import connections

    from messaging import dispatch

    if options.profile:
        profile = cProfile.Profile()
        profile.runcall(dispatch.tick, AT)
        pstats.Stats(profile).sort_stats("cumulative").print_stats(45)
    if options.workers > 1:
        connections.close_all()
        fork = multiprocessing.get_context("fork")
        others = [fork.Process(target=_work) for _ in range(options.workers)]
        for other in others:
            other.start()
        for other in others:
            other.join()
        return
    _work()


def _work() -> None:
    from messaging import dispatch

    while dispatch.tick(AT):
        pass


def _check(mails: int) -> None:
    from messaging.models import Message
    from profiles.models import Event

    sent = Message.objects.filter(state="sent", html__gt="", address__gt="").count()
    told = Event.objects.filter(type__name="$message_sent").count()
    if not sent == told == mails:
        raise SystemExit(f"{sent} messages are sent and {told} events say so, and not {mails}")


PAST = """
    INSERT INTO messaging_message (id, idempotency_key, profile_id, channel, topic_id, template_id, journey, step,
        variant, context, state, reason, evidence, guardrail, address, sender, message_id, subject, html, text,
        provider_id, attempts, claims, fence, urgent, due_at, queued_at, sending_at, sent_at)
    SELECT gen_random_uuid(), 'past' || n, md5('person' || 1 + n %% %(people)s)::uuid, 'email', %(topic)s,
        %(template)s, '', '', '', '{}', 'sent', '', '{}', '', '', '', '', '', '', '', '', 1, 0, 1, false, at, at, at, at
    FROM generate_series(1, %(messages)s) n, LATERAL (SELECT %(at)s - interval '90 days' * random() AS at WHERE n > 0)
"""


def _judge_against_caps(people: int = 5_000, each: int = 80) -> None:
    """A person's cap of two a day and three a week: a batch a hundred times as large as any that dispatch judges."""
    from django.db import connection, transaction

    from consent.models import Preference, Topic
    from messaging import history, limits, templates
    from messaging.guardrails.caps import Caps
    from messaging.judging import ALLOW, Candidate
    from messaging.limits import Most
    from messaging.models import Message
    from profiles.models import Profile

    topic = Topic.objects.create(slug="news", name="News", description="News.", purpose="To tell.", channels=["email"])
    template = templates.save(
        "hello", name="Hello", channel="email", topic="news", subject="News", blocks=BLOCKS, now=AT
    )
    limits.save(caps=[Most(2, 24), Most(3, 168, channel="email")], now=AT)
    with connection.cursor() as cursor:
        cursor.execute(PEOPLE, {"at": AT, "people": people})
        past: dict[str, Any] = {
            "people": people,
            "messages": people * each,
            "topic": topic.id,
            "template": template.id,
            "at": AT,
        }
        cursor.execute(PAST, past)
        cursor.execute("ANALYZE")
    candidates = [
        Candidate(
            Message(profile=one, topic=topic, template=template, channel="email", queued_at=AT, due_at=AT),
            one, topic, one.email or "", None, Preference(profile=one),
        )
        for one in Profile.objects.all()
    ]  # fmt: skip
    looking_up, judging = [], []
    params: dict[str, Any] = {"ids": sorted(one.profile.id for one in candidates), "since": AT - timedelta(days=7)}
    for _ in range(5):
        with transaction.atomic(), connection.cursor() as cursor:
            started = time.perf_counter()
            cursor.execute(f"SELECT count(*) FROM ({history._sql['sent_to_people'].rstrip(';')}) AS found", params)
            looking_up.append(time.perf_counter() - started)
            started = time.perf_counter()
            verdicts = Caps().judge(candidates, AT)
            judging.append(time.perf_counter() - started)
    held = sum(verdict != ALLOW for verdict in verdicts.values())
    print(f"{people:,} messages against two caps, {people * each:,} in the past, {held:,} held")
    print(f"  the statement {min(looking_up) * 1_000:,.0f} ms, all of it {min(judging) * 1_000:,.0f} ms")


# ── What both speak to ───────────────────────────────────────────────────────────────────────────────────────────────
class _Conversation(socketserver.StreamRequestHandler):
    """As little of SMTP as it takes, so that its own time hardly counts."""

    arrived: Any
    disable_nagle_algorithm = True

    def handle(self) -> None:
        self.wfile.write(b"220 sink\r\n")
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                while self.rfile.readline() != b".\r\n":
                    pass
                with self.arrived.get_lock():
                    self.arrived.value += 1
            self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 OK\r\n")
            if verb == b"QUIT":
                return


def _serve(listener: socket.socket, arrived: Any) -> None:
    _Conversation.arrived = arrived

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    server = Server(listener.getsockname(), _Conversation, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.serve_forever()


@contextmanager
def _mail_server() -> Iterator[tuple[int, Any]]:
    spawn = multiprocessing.get_context("fork")
    arrived = spawn.Value("L", 0)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = spawn.Process(target=_serve, args=(listener, arrived), daemon=True)
        process.start()
        try:
            yield listener.getsockname()[1], arrived
        finally:
            process.terminate()
            process.join()


@contextmanager
def _server() -> Iterator[None]:
    """An embedded server of our own, migrated."""
    with tempfile.TemporaryDirectory(prefix="cairn-bench-", ignore_cleanup_errors=True) as home, ExitStack() as held:
        for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "CAIRN_CLOCK", "EMAIL_URL"):
            os.environ.pop(name, None)
        os.environ |= {
            "CAIRN_HOME": home,
            "CAIRN_WAKE_UPS": "off",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "LOG_LEVEL": "WARNING",
            "POSTAL_ADDRESS": "1 Test Street, 12345 Testing",
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


if __name__ == "__main__":
    main()
