"""The ends of all chains, written down each night where a change of the ledger does not reach them (CO-20)."""

import hashlib
import io
import json
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection

from config.embedded import postgres
from consent import anchoring, chain
from consent.ledger import Outcome
from consent.models import Anchor, ConsentRecord, Topic
from profiles.models import Profile

Decide = Callable[..., Outcome]
DAY = timedelta(days=1)


@pytest.fixture
def file(settings: Any, tmp_path: Path) -> Path:
    settings.LEDGER_ANCHORS = tmp_path / "kept" / "anchors.jsonl"
    return tmp_path / "kept" / "anchors.jsonl"


@pytest.fixture
def people(transactional_db: None, person: Callable[..., Profile], news: Topic, decide: Decide) -> list[Profile]:
    found = [person(f"p{place}") for place in range(5)]
    for one in found:
        decide(one, "news", "granted")
        decide(one, "news", "denied")
    return found


def verify() -> tuple[int, str]:
    said = io.StringIO()
    try:
        call_command("verify_ledger", stdout=said, stderr=said)
    except SystemExit as end:
        return int(str(end.code)), said.getvalue()
    return 0, said.getvalue()


def test_CO20_a_last_row_that_was_cut_off_with_its_state_is_found_by_the_anchor(
    people: list[Profile], file: Path, now: datetime, tamper: Callable[[str], None]
) -> None:
    assert anchoring.tick(now + DAY) == 1
    assert verify()[0] == 0
    ref = people[0].subjects.get().ref
    first = ConsentRecord.objects.get(subject_ref=ref, seq=1)
    tamper(f"DELETE FROM consent_consentrecord WHERE subject_ref = '{ref}' AND seq = 2")
    people[0].consents.update(state="granted", record=first.id, since=first.occurred_at)
    code, said = verify()
    assert code == 1
    assert "are not those that the table of anchors has" in said
    assert "are not those that the file anchors.jsonl has" in said
    assert "row " not in said.replace("rows", "")  # no chain says it of itself


def test_CO20_a_chain_that_is_gone_altogether_is_found_and_so_is_a_changed_anchor(
    people: list[Profile], file: Path, now: datetime, tamper: Callable[[str], None]
) -> None:
    anchoring.tick(now + DAY)
    people[0].delete()
    assert verify()[0] == 0  # to be erased is no tampering: the rows stay
    ref = ConsentRecord.objects.exclude(subject_ref__in=[one.subjects.get().ref for one in people[1:]]).first()
    assert ref
    tamper(f"DELETE FROM consent_consentrecord WHERE subject_ref = '{ref.subject_ref}'")
    root = anchoring.of(now + DAY).root
    tamper("ALTER TABLE consent_anchor DISABLE TRIGGER ALL")
    tamper(f"UPDATE consent_anchor SET root = '{root}', chains = 4")
    tamper("ALTER TABLE consent_anchor ENABLE ALWAYS TRIGGER consent_anchor_rows")
    code, said = verify()
    assert (code, "the table of anchors" in said, "5 chains, now 4" in said) == (1, False, True)


def test_CO20_decisions_after_an_anchor_change_nothing_of_it(
    people: list[Profile], file: Path, decide: Decide, now: datetime
) -> None:
    anchoring.tick(now + DAY)
    decide(people[0], "news", "granted", now=now + DAY)
    assert verify()[0] == 0


def test_it_is_written_once_a_day_and_to_the_log(
    people: list[Profile], file: Path, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "consent.anchoring"):
        assert [anchoring.tick(now + DAY + timedelta(hours=hours)) for hours in (0, 1, 19, 21)] == [1, 0, 0, 1]
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["root"] for line in lines] == list(Anchor.objects.order_by("id").values_list("root", flat=True))
    assert lines[0]["root"] in caplog.text


def test_the_root_is_that_of_the_standard(people: list[Profile], file: Path, now: datetime) -> None:
    def leaf(row: ConsentRecord) -> bytes:
        return hashlib.sha256(b"\0" + chain.canonical([str(row.subject_ref), row.seq, row.hash])).digest()

    def tree(leaves: list[bytes]) -> bytes:
        """RFC 6962, section 2.1, as it stands there."""
        if len(leaves) == 1:
            return leaves[0]
        split = 1 << (len(leaves) - 1).bit_length() - 1
        return hashlib.sha256(b"\1" + tree(leaves[:split]) + tree(leaves[split:])).digest()

    heads = list(ConsentRecord.objects.filter(seq=2).order_by("subject_ref"))
    assert anchoring.of(now).root == tree([leaf(row) for row in heads]).hex()
    assert anchoring.of(now - DAY).root == hashlib.sha256(b"").hexdigest()


def test_CO05_an_anchor_cannot_be_changed(people: list[Profile], file: Path, now: datetime) -> None:
    anchoring.tick(now)
    name = str(connection.settings_dict["NAME"])
    with postgres.server().connect(name, postgres.SUPERUSER) as superuser:
        superuser.execute("SET session_replication_role = replica")
        with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
            superuser.execute("UPDATE consent_anchor SET root = ''")
