"""Erasure: complete, whatever is killed on the way; nothing late, no import and no backup brings anybody back."""

import io
import logging
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from celery import current_app
from celery.signals import worker_init
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, connections
from django.test import Client

from config import gate, ticking
from config.embedded import postgres
from consent import optins, requests, suppression, verification
from consent.ledger import Outcome
from consent.models import ConsentRecord, Reply, SentForm, SignupForm, Subject, Suppression, Topic
from foundation import clock
from messaging import templates
from messaging.models import Message
from messaging.outbox import Request, enqueue
from messaging.returns import reports
from playbooks import files, installing
from profiles import cleaning, erasing, ingest, journal, people
from profiles.ingest import Trust
from profiles.models import Erasure, Profile, RejectedEvent
from staff.models import User

EMAIL, ID, DEVICE, PHONE = "canary.zq@example.com", "canary-user-zq", "canary-device-zq", "+491715550199"
CANARIES = (EMAIL, ID, DEVICE, PHONE, "Canaryzq")
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"


@pytest.fixture(autouse=True)
def at(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path, now: datetime) -> Callable[[datetime], None]:
    """The clock stands at `now`, mail goes into a folder, and the journal is this test's own."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path / "mail")
    settings.ERASURE_JOURNAL = tmp_path / "erasures.jsonl"

    def at(moment: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment)

    at(now)
    return at


@pytest.fixture
def canary(database: None, news: Topic, decide: Callable[..., Outcome], now: datetime, tmp_path: Path) -> Profile:
    """Somebody who came through the front door of the demo's shop, and left traces wherever a person can."""
    installing.install(files.load("web-shop"), now=now - timedelta(days=1))
    ingest.take(calls(), source="key Website", trust=Trust.SERVER, now=now)
    ingest.take(
        [{"type": "track", "userId": ID, "event": "x", "properties": []}], source="k", trust=Trust.SERVER, now=now
    )
    ticking.rest(now)
    profile = Profile.objects.get(external_id=ID)
    decide(profile, "news", "granted", wording="Yes.", evidence={"form": f"filled in by {EMAIL}"})
    for said in (f"I am {EMAIL}", f"Again: {EMAIL}"):
        row = requests.raise_(profile, "access", via="staff", said=said, identity=f"Called {PHONE}", now=now)
    requests.extend(row.id, reason=f"Canaryzq writes from {DEVICE}", now=now)
    asked = requests.raise_(profile, "restriction", via="staff", said=f"{EMAIL} says so", now=now)
    requests.carry_out(asked.id, now=now)
    ticking.rest(now)
    Reply.objects.create(digest="d", channel="email", sender=EMAIL.upper(), said=f"Canaryzq, {EMAIL}", received_at=now)
    form = SignupForm.objects.create(slug="join", name="Join")
    SentForm.objects.create(form=form, address=EMAIL, shown={}, button="Send", locale="en", sent_at=now)
    file = tmp_path / "people.csv"
    file.write_text(f"external_id,email,phone\nother,not an address,\n,{EMAIL},\n")
    call_command("import_profiles", str(file), stdout=io.StringIO(), stderr=io.StringIO())
    return profile


def calls() -> list[dict[str, Any]]:
    traits = {"email": EMAIL, "phone": PHONE, "firstName": "Canaryzq", "shop": "web", "note": f"write to {EMAIL}"}
    return [
        {"type": "track", "anonymousId": DEVICE, "event": "page_seen", "messageId": f"{DEVICE}-1"},
        {"type": "identify", "userId": ID, "anonymousId": DEVICE, "traits": traits},
        {"type": "track", "userId": ID, "event": "add_to_cart", "properties": {"from": EMAIL}},
        {"type": "track", "userId": ID, "event": "error_page", "properties": {"seen_by": "Canaryzq"}},
    ]


def found_in_tables() -> dict[str, int]:
    """Table to how many of its rows hold a canary, in any column."""
    like = [f"%{canary}%" for canary in CANARIES]
    found = {}
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT count(*) FROM "{table}" t WHERE t::text ILIKE ANY(%s)', [like])
            if rows := cursor.fetchone()[0]:
                found[table] = rows
    return found


def digest() -> str:
    """A digest of every row of every table."""
    with connection.cursor() as cursor:
        cursor.execute(_TABLES + " ORDER BY tablename")
        parts = [
            f"SELECT '{table}' AS name, coalesce(md5(string_agg(t::text, ',' ORDER BY t::text)), '') AS d"
            f' FROM "{table}" t'
            for (table,) in cursor.fetchall()
        ]
        cursor.execute(
            f"SELECT md5(string_agg(name || d, ',' ORDER BY name)) FROM ({' UNION ALL '.join(parts)}) all_rows"
        )
        return str(cursor.fetchone()[0])


# ── Complete ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_ER01_no_table_index_sample_log_queue_or_file_holds_a_trace(
    transactional_db: None, broker_url: str, canary: Profile, now: datetime, tmp_path: Path, settings: Any,
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    settings.CAIRN_WAKE_UPS = True
    log = postgres.server().data.parent / "data.log"
    logged = log.stat().st_size
    before = found_in_tables()
    assert {
        "profiles_profile", "profiles_identifier", "profiles_eventtype", "profiles_rejectedevent",
        "consent_privacystep", "consent_privacyrequest", "consent_consentevidence", "consent_limit",
        "messaging_message", "consent_reply", "consent_sentform",
    } <= before.keys() | {table for table in before if table.startswith("profiles_event_")}  # fmt: skip
    assert any(EMAIL in path.read_text() for path in (tmp_path / "mail").iterdir())
    owner = connections["owner"]
    with owner.cursor() as cursor:
        cursor.execute("ANALYZE")
    assert sampled() and indexed()
    monkeypatch.setattr(current_app.conf, "broker_url", broker_url)
    _forget_connections()
    again = [{"type": "track", "userId": ID, "event": "add_to_cart"}]
    ingest.take(again, source="key Website", trust=Trust.SERVER, now=now)
    people.erase(canary, now=now)
    assert cleaning.clean(owner, now) == 1
    assert found_in_tables() == {}
    assert (sampled(), indexed()) == ([], [])
    with redis.Redis(unix_socket_path=broker_url.removeprefix("redis+socket://")) as client:
        queued = [str(client.lrange(key, 0, -1)) for key in client.scan_iter(_type="list")]
    _forget_connections()
    assert queued and not held(*queued)
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "people.csv"]
    assert tmp_path / "people.csv.refused.csv" in left and tmp_path / "erasures.jsonl" in left
    assert not held(*(path.read_text() for path in left))
    assert not held(caplog.text, log.read_bytes()[logged:].decode())
    assert list(verification.verify()) == []
    assert suppression.find("email", [EMAIL])[EMAIL][0].scope == Suppression.Scope.ALL
    owner.close()


def _forget_connections() -> None:
    forget: Any = current_app
    forget._after_fork()


def held(*texts: str) -> list[str]:
    return [canary for canary in CANARIES for text in texts if canary.lower() in text.lower()]


def sampled() -> list[str]:
    """Tables of whose values the planner has kept some that are a canary."""
    with postgres.server().connect(connection.settings_dict["NAME"]) as superuser:
        kept = "concat(most_common_vals::text, histogram_bounds::text, most_common_elems::text)"
        rows = superuser.execute(f"SELECT tablename, {kept} FROM pg_stats WHERE schemaname = 'public'").fetchall()
    return sorted({table for table, values in rows if held(values)})


def indexed() -> list[str]:
    """Indexes of which a page holds a canary."""
    words = [canary.encode().hex() for canary in CANARIES]
    found = []
    with postgres.server().connect(connection.settings_dict["NAME"]) as superuser:
        superuser.execute("CREATE EXTENSION IF NOT EXISTS pageinspect")
        indexes = superuser.execute(
            "SELECT c.oid::regclass::text, pg_relation_size(c.oid) / 8192"
            " FROM pg_class c JOIN pg_am a ON a.oid = c.relam"
            " WHERE a.amname = 'btree' AND c.relkind = 'i' AND c.relnamespace = 'public'::regnamespace"
        ).fetchall()
        for index, pages in indexes:
            for page in range(1, pages):
                items = superuser.execute(
                    "SELECT string_agg(replace(data, ' ', ''), ',') FROM bt_page_items(%s, %s)", [index, page]
                ).fetchone()
                if items and items[0] and any(word in items[0] for word in words):
                    found.append(index)
    return found


def test_ER01_the_numbers_of_what_was_sent_and_of_journeys_stay(canary: Profile, now: datetime) -> None:
    def numbers() -> Any:
        return (
            Counter(Message.objects.exclude(sent_at=None).values_list("template__slug", "state", "journey", "step")),
            ConsentRecord.objects.count(),
        )

    before = numbers()
    assert before[0]
    people.erase(canary, now=now)
    assert numbers() == before


# ── Resumable ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_ER06_killed_at_any_step_it_is_as_before_and_once_more_it_is_done_once(
    transactional_db: None, canary: Profile, now: datetime
) -> None:
    before, step = digest(), 1
    while _killed_at(step, canary, now):
        assert digest() == before, f"half done after step {step}"
        assert not django_settings.ERASURE_JOURNAL.exists()
        step += STRIDE
    assert step > 40
    # Cut after it was committed, or not at all: what is left to do is the journal's line, and the loop writes it.
    ticking.rest(now)
    assert found_in_tables() == {}
    after = digest()
    people.erase(canary, now=now)
    assert digest() == after
    assert [entry.id for entry in journal.read()] == [canary.pk]


STRIDE = 7  # each statement is a place to be killed at; one in seven finds what is not in the transaction


def _killed_at(step: int, profile: Profile, now: datetime) -> bool:
    """Erases, but the connection is cut before the statement of that number; whether that was before the commit."""
    number = 0

    def cut(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        nonlocal number
        number += 1
        if number == step:
            with postgres.server().connect() as superuser:
                pid = context["connection"].connection.info.backend_pid
                superuser.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        return execute(sql, params, many, context)

    try:
        with connection.execute_wrapper(cut):
            people.erase(profile, now=now)
    except (OperationalError, psycopg.Error):
        return True
    finally:
        connection.close()
    return False


def test_ER06_what_was_cut_short_before_the_journal_is_written_down_by_the_loop(
    transactional_db: None, ada: Profile, ben: Profile, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("no space left")))
        people.erase(ada, now=now)
    assert not Profile.objects.filter(pk=ada.pk).exists()
    assert Erasure.objects.get().noted_at is None
    assert ticking.rest(now)["profiles.forget"] >= 1
    assert [entry.id for entry in journal.read()] == [ada.pk]
    people.erase(ben, now=now + timedelta(days=1))
    assert Erasure.objects.filter(noted_at=None).count() == 0
    assert journal.forget(now + journal.KEPT + timedelta(hours=1)) == 1
    assert [entry.id for entry in journal.read()] == [ben.pk]
    assert gate.closed() == ""


# ── Late, back, and imported ─────────────────────────────────────────────────────────────────────────────────────────


def test_ER03_what_comes_late_brings_nobody_back_and_is_counted(
    canary: Profile, now: datetime, at: Callable[[datetime], None]
) -> None:
    message = Message.objects.exclude(sent_at=None).first()
    assert message is not None
    people.erase(canary, now=now)
    later = now + timedelta(days=29)
    at(later)
    before, counted = Profile.objects.count(), Client().get("/metrics").content.decode()
    assert "cairn_tombstoned 0" in counted
    replayed = [{**call, "timestamp": (now - timedelta(hours=n)).isoformat()} for n, call in enumerate(calls() * 2)]
    for n, call in enumerate(replayed):
        call["messageId"] = f"late-{n}"
    ingest.take(replayed, source="key Website", trust=Trust.SERVER, now=later)
    told: dict[str, Any] = {"recipient": EMAIL, "said": f"550 <{EMAIL}> unknown", "raw": f"To: {EMAIL}", "at": later}
    reports.keep(
        [
            reports.Told(source="esp", kind="delivered", named=message.id, **told),
            reports.Told(source="esp", kind="bounced", header_id=message.message_id, **told),
            reports.Told(source="esp", kind="complained", provider_id="never heard of", **told),
        ],
        now=later,
    )
    ticking.rest(later)
    assert Profile.objects.count() == before
    assert found_in_tables() == {}
    assert RejectedEvent.objects.filter(reason=ingest._ERASED).count() == len(replayed)
    assert f"cairn_tombstoned {len(replayed)}" in Client().get("/metrics").content.decode()


def test_ER02_who_comes_back_is_somebody_new_and_unwritten_to_until_they_confirm(
    canary: Profile, now: datetime, at: Callable[[datetime], None]
) -> None:
    before = Subject.objects.get(profile=canary).ref
    people.erase(canary, now=now)
    later = now + timedelta(days=1)
    at(later)
    again, _created = people.put(ID, {"email": EMAIL.upper()}, now=later)
    assert send(again, later).guardrail == "suppression"
    asked = optins.ask(again, [optins.Wanted("news", "email", "Yes.")], by="form", locale="en", evidence={}, now=later)
    assert Subject.objects.get(profile=again).ref != before
    assert send(again, later + timedelta(seconds=1)).state == "suppressed"
    optins.confirm(asked.id, now=later + timedelta(seconds=2))
    at(later + timedelta(seconds=3))
    assert send(again, later + timedelta(seconds=3)).state == "sent"
    assert not ConsentRecord.objects.filter(subject_ref=before, state="granted", recorded_at__gte=later).exists()


SPELLINGS = [
    "canary.zq@bücher.example", "CANARY.ZQ@BÜCHER.EXAMPLE", "canary.zq@xn--bcher-kva.example",
    "  canary.zq@bücher.example ",
    "ｃａｎａｒｙ．ｚｑ@bücher.example", "canary.zq@bu\u0308cher.example",
]  # fmt: skip


def test_CO27_erased_and_imported_in_six_spellings_nobody_is_written_to(
    person: Callable[..., Profile], tips: Topic, now: datetime, tmp_path: Path, at: Callable[[datetime], None]
) -> None:
    people.erase(person("erased", email=SPELLINGS[0]), now=now)
    file = tmp_path / "again.csv"
    rows = [f'again-{n},"{spelling}"' for n, spelling in enumerate(SPELLINGS)]
    file.write_text("\n".join(["external_id,email", *rows, "plus,canary.zq+tag@bücher.example"]), encoding="utf-8")
    later = now + timedelta(days=1)
    at(later)
    call_command("import_profiles", str(file), stdout=io.StringIO(), stderr=io.StringIO())
    states = {
        profile.external_id: send(profile, later, "tips").guardrail
        for profile in Profile.objects.filter(external_id__startswith="again-")
    }
    assert set(states.values()) <= {"suppression", "address"}, "what is no address is not written to, either"
    assert list(states.values()).count("suppression") >= 4
    assert len(states) == len(SPELLINGS), "each was let in as somebody, and none can be written to"
    assert send(Profile.objects.get(external_id="plus"), later, "tips").state == "sent", "a tag may lead to another"


def send(profile: Profile, now: datetime, topic: str = "news") -> Message:
    from messaging import dispatch

    blocks = [{"kind": "text", "text": "Hello"}]
    template = templates.save(topic, name=topic, channel="email", topic=topic, subject="Hi", blocks=blocks, now=now)
    request = Request(key=f"{profile.id}:{now}", profile_id=profile.id, template=template.slug, channel="email")
    (id,) = enqueue([request], now=now)
    dispatch.tick(now)
    return Message.objects.get(id=id)


# ── Backups ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def backup(transactional_db: None) -> Iterator[Callable[[], Callable[[], None]]]:
    """`restore = backup()`: a copy of the whole database as it stands, and what brings it back in its place."""
    name = connection.settings_dict["NAME"]

    def copy(source: str, target: str) -> None:
        for alias in ("default", "owner"):
            connections[alias].close()
        with postgres.server().connect() as superuser:
            superuser.execute(f"DROP DATABASE IF EXISTS {target} WITH (FORCE)")
            superuser.execute(f"CREATE DATABASE {target} TEMPLATE {source} OWNER {postgres.OWNER} STRATEGY FILE_COPY")

    def backup() -> Callable[[], None]:
        copy(name, f"{name}_backup")
        return lambda: copy(f"{name}_backup", name)

    yield backup
    with postgres.server().connect() as superuser:
        superuser.execute(f"DROP DATABASE IF EXISTS {name}_backup WITH (FORCE)")


def test_ER04_after_a_restore_no_worker_starts_before_the_erasures_were_done_again(
    backup: Callable[[], Callable[[], None]], canary: Profile, ben: Profile, person: Any, now: datetime, tmp_path: Path,
    settings: Any, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    restore = backup()
    people.erase(canary, now=now)
    unheard_of = person("canary-later-zq", email="later.zq@example.com")
    people.erase(unheard_of, now=now)
    assert gate.closed() == ""
    restore()
    assert found_in_tables()
    sentence = "2 erasures are in the journal and not in this database, as after a backup was restored."
    assert gate.closed().startswith(sentence)
    with pytest.raises(SystemExit, match=r"manage\.py replay_erasures"):
        worker_init.send(sender=None)
    settings.CAIRN_CLOCK = "manual"
    with pytest.raises(CommandError, match="after a backup was restored"):
        call_command("tick")
    for said in ("2 erasures done again.", "Nothing to do"):
        call_command("replay_erasures")
        assert said in capsys.readouterr().out
    assert found_in_tables() == {}
    assert gate.closed() == ""
    worker_init.send(sender=None)
    assert suppression.find("email", [EMAIL, "LATER.zq@example.com"]).keys() == {EMAIL, "LATER.zq@example.com"}
    assert all(suppression.find("email", [EMAIL, "LATER.zq@example.com"]).values())
    assert erasing.tombstoned([ID, "canary-later-zq", "ben"]).keys() == {ID, "canary-later-zq"}
    assert Profile.objects.filter(pk=ben.pk).exists()
    # A machine that has no journal of its own is told by those of others.
    restore()
    elsewhere = tmp_path / "from-web-2.jsonl"
    shutil.move(settings.ERASURE_JOURNAL, elsewhere)
    assert gate.closed() == ""
    call_command("replay_erasures", str(elsewhere))
    assert found_in_tables() == {}


def test_a_journal_with_a_torn_line_stops_the_start_with_a_sentence(db: None, settings: Any) -> None:
    settings.ERASURE_JOURNAL.write_text('{"id": "6a')
    assert gate.closed().startswith(f"Line 1 of {settings.ERASURE_JOURNAL} is none of the journal of erasures.")
    with pytest.raises(CommandError, match="Line 1"):
        call_command("replay_erasures")


def test_a_journal_names_nobody_and_is_read_by_us_alone(transactional_db: None, canary: Profile, now: datetime) -> None:
    people.erase(canary, now=now)
    path = django_settings.ERASURE_JOURNAL
    assert not held(path.read_text())
    assert path.stat().st_mode & 0o077 == 0
    assert User.objects.count() == 0
