import io
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.core.management import call_command

from consent.ledger import Outcome
from consent.models import ConsentEvidence, ConsentRecord, ConsentState, Subject, Topic
from profiles.models import Profile
from staff.models import AuditEntry

Decide = Callable[..., Outcome]


@pytest.fixture
def story(transactional_db: None, person: Callable[..., Profile], news: Topic, tips: Topic, decide: Decide) -> Any:
    """Ada's chain of three rows, and Ben's of one."""
    ada, ben = person("ada"), person("ben")
    decide(ada, "news", "granted", evidence={"control": "Yes"})
    decide(ada, "tips", "denied")
    decide(ada, "news", "denied")
    decide(ben, "news", "granted")
    return ada, ben


def verify(*arguments: str) -> tuple[int, str]:
    said = io.StringIO()
    try:
        call_command("verify_ledger", *arguments, stdout=said, stderr=said)
    except SystemExit as end:
        return int(str(end.code)), said.getvalue()
    return 0, said.getvalue()


def test_CO20_an_honest_ledger_passes(story: Any) -> None:
    assert verify() == (0, "All is well: 4 rows of 2 chains, 3 states.\n")


def test_an_empty_one_passes_too(transactional_db: None) -> None:
    assert verify() == (0, "All is well: 0 rows of 0 chains, 0 states.\n")


@pytest.mark.parametrize(
    ("change", "row", "said"),
    [
        ("UPDATE consent_consentrecord SET state = 'granted' WHERE topic = 'tips'", 2, "contents are not those"),
        ("UPDATE consent_consentrecord SET actor = actor || '.' WHERE seq = 3", 3, "contents are not those"),
        ("DELETE FROM consent_consentrecord WHERE seq = 2", 3, "a row is missing before it"),
        ("DELETE FROM consent_consentrecord WHERE seq < 3 AND topic = 'tips' OR seq = 1", 3, "rows are missing"),
        ("UPDATE consent_consentrecord SET hash = repeat('0', 64) WHERE seq = 2", 3, "does not follow"),
        ("UPDATE consent_consentevidence SET data = '{}'", 1, "evidence is not that"),
    ],
)
def test_CO20_whatever_was_tampered_with_is_named_by_subject_and_row(
    story: Any, tamper: Callable[[str], None], change: str, row: int, said: str
) -> None:
    ada, _ = story
    ref = Subject.objects.get(profile=ada).ref
    tamper(change)
    code, told = verify()
    assert code == 1
    assert f"subject {ref}, row {row}:" in told
    assert said in told


def test_CO20_a_last_row_that_was_cut_off_shows_in_the_states(story: Any, tamper: Callable[[str], None]) -> None:
    tamper("DELETE FROM consent_consentrecord WHERE seq = 3")
    code, told = verify()
    assert code == 1
    assert "news by email: says denied, while granted follows from the ledger" in told


def test_evidence_that_was_erased_is_no_tampering(story: Any) -> None:
    ConsentEvidence.objects.all().delete()
    assert verify()[0] == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"state": "granted"}, "says granted, while denied follows"),
        ({"topic": "other"}, "nothing in the ledger leads to it"),
    ],
)
def test_CO22_a_state_that_does_not_follow_is_found_and_written_anew(
    story: Any, change: dict[str, str], said: str
) -> None:
    honest = list(ConsentState.objects.order_by("topic").values("profile", "topic", "state", "record", "since"))
    ConsentState.objects.filter(topic="tips").update(**change)
    code, told = verify()
    assert code == 1
    assert said in told
    assert verify("--rebuild")[0] == 0
    assert verify()[0] == 0
    rebuilt = ConsentState.objects.order_by("topic").values("profile", "topic", "state", "record", "since")
    assert sorted(rebuilt, key=str) == sorted(honest, key=str)
    assert AuditEntry.objects.get(verb="rebuild").actor == "command:verify_ledger"


def test_CO22_states_that_were_lost_altogether_come_back(story: Any) -> None:
    honest = set(ConsentState.objects.values_list("profile", "topic", "channel", "state", "record", "since"))
    ConsentState.objects.all().delete()
    assert verify("--rebuild")[0] == 0
    assert set(ConsentState.objects.values_list("profile", "topic", "channel", "state", "record", "since")) == honest


def test_states_are_not_written_from_a_chain_that_was_tampered_with(story: Any, tamper: Callable[[str], None]) -> None:
    tamper("UPDATE consent_consentrecord SET state = 'granted' WHERE seq = 3")
    code, _ = verify("--rebuild")
    assert code == 1
    assert ConsentState.objects.get(topic="news", profile=story[0]).state == "denied"


def test_a_state_of_somebody_of_whom_no_chain_speaks_is_found(story: Any, now: datetime, person: Any) -> None:
    cleo = person()
    record = ConsentRecord.objects.latest("seq").id
    ConsentState.objects.create(profile=cleo, topic="news", channel="email", state="granted", record=record, since=now)
    code, told = verify()
    assert code == 1
    assert "no chain speaks of this person" in told
    assert verify("--rebuild")[0] == 0
    assert not ConsentState.objects.filter(profile=cleo).exists()
