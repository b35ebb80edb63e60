from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import connection, connections
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.embedded import postgres
from consent import chain, ledger, states
from consent.fold import Decision, folded
from consent.ledger import EVERYTHING, Choice, Outcome
from consent.models import (
    DECISIONS,
    ConsentEvidence,
    ConsentRecord,
    ConsentState,
    RefusedUpgrade,
    Subject,
    Topic,
    Wording,
)
from foundation.errors import Invalid
from profiles.models import Profile

Source = ConsentRecord.Source
Decide = Callable[..., Outcome]


def state_of(profile: Profile, topic: str, channel: str = "email") -> str | None:
    found = states.of([profile.id], topic, channel).get(profile.id)
    return found.state if found else None


def test_a_decision_is_written_down_with_what_was_shown(
    ada: Profile, news: Topic, decide: Decide, now: datetime
) -> None:
    outcome = decide(ada, "news", "granted", wording="Yes, send me news.", locale="en", evidence={"control": "Yes"})
    row = ConsentRecord.objects.get()
    assert outcome.verdict == "recorded"
    assert outcome.rows == (row,)
    assert (row.seq, row.state, row.source, row.occurred_at, row.previous) == (1, "granted", "page", now, "")
    assert Wording.objects.get(digest=row.wording).text == "Yes, send me news."
    assert state_of(ada, "news") == "granted"


def test_CO01_a_grant_keeps_the_text_that_was_shown_whatever_becomes_of_the_topic(
    ada: Profile, news: Topic, decide: Decide
) -> None:
    decide(ada, "news", "granted", wording=news.description, locale="en")
    news.description = "Something else entirely."
    news.save()
    decide(ada, "news", "denied")
    decide(ada, "news", "granted", wording=news.description, locale="en")
    first = ConsentRecord.objects.get(seq=1)
    assert Wording.objects.get(digest=first.wording).text == "What is new, about once a month."


def test_a_decision_that_stands_already_adds_nothing(ada: Profile, news: Topic, decide: Decide) -> None:
    decide(ada, "news", "denied")
    assert decide(ada, "news", "denied", evidence={"more": "of the same"}).verdict == "unchanged"
    assert ConsentRecord.objects.count() == 1


def test_a_consent_with_evidence_that_is_new_is_written_down_once(ada: Profile, news: Topic, decide: Decide) -> None:
    decide(ada, "news", "granted", source=Source.IMPORT)
    assert decide(ada, "news", "granted", source=Source.API, evidence={"form": "7"}).verdict == "recorded"
    assert decide(ada, "news", "granted", source=Source.API, evidence={"form": "7"}).verdict == "unchanged"
    assert ConsentRecord.objects.count() == 2


def test_a_decision_of_somebody_who_is_gone_changes_nothing(news: Topic, now: datetime) -> None:
    choice = Choice(profile_id=uuid4(), topic="news", channel="email", state="denied", source=Source.PAGE)
    assert ledger.record([choice], now=now)[0].verdict == "gone"
    assert not ConsentRecord.objects.exists()
    assert not Subject.objects.exists()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("state", "maybe", "granted or denied"),
        ("source", "hearsay", "must be one of"),
        ("topic", "unheard-of", "no topic"),
        ("topic", "", "slug"),
        ("topic", "x" * 51, "slug"),
        ("channel", "", "channel"),
        ("channel", EVERYTHING, "all topics"),
        ("evidence", {"n": 1.5}, "texts"),
    ],
)
def test_what_cannot_be_a_decision_is_refused_with_a_sentence(
    ada: Profile, news: Topic, now: datetime, field: str, value: object, said: str
) -> None:
    fields: dict[str, Any] = {
        "topic": "news",
        "channel": "email",
        "state": "granted",
        "source": Source.API,
        field: value,
    }
    with pytest.raises(Invalid, match=said) as refusal:
        ledger.record([Choice(profile_id=ada.id, **fields)], now=now)
    assert refusal.value.problems[0].path == f"[0].{field}"


def test_CO02_nobody_can_agree_to_everything_at_once(ada: Profile, decide: Decide) -> None:
    with pytest.raises(Invalid, match="everything at once"):
        decide(ada, EVERYTHING, "granted", EVERYTHING, source=Source.API, evidence={"form": "7"})


# ── CO-05 ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("statement", ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}", "TRUNCATE {0}"])
@pytest.mark.parametrize(("table", "column"), [("consent_consentrecord", "seq"), ("consent_wording", "text")])
@pytest.mark.parametrize("role", [postgres.OWNER, postgres.SUPERUSER])
def test_CO05_even_the_owner_in_replica_role_cannot_change_the_ledger(
    transactional_db: None, role: str, table: str, column: str, statement: str
) -> None:
    with postgres.server().connect(str(connection.settings_dict["NAME"]), postgres.SUPERUSER) as superuser:
        superuser.execute(
            "INSERT INTO consent_wording VALUES ('d', 'text', 'en', '');"
            "INSERT INTO consent_consentrecord SELECT gen_random_uuid(), gen_random_uuid(), 1, 'news', 'email',"
            " 'denied', 'page', 'system', '', '', NULL, '', now(), now(), '', 'hash'"
        )
        superuser.execute(f"SET session_replication_role = replica; SET ROLE {role}")
        with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
            superuser.execute(statement.format(table, column))


def test_CO05_the_app_role_does_not_own_the_ledger(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableowner, current_user FROM pg_tables WHERE tablename = 'consent_consentrecord'")
        assert cursor.fetchone() == (postgres.OWNER, postgres.APP)


# ── CO-20, CO-21 ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_CO20_concurrent_decisions_make_one_unbroken_chain(
    transactional_db: None, person: Callable[..., Profile], now: datetime
) -> None:
    ada = person("ada")
    threads, each = 6, 25

    def append(worker: int) -> None:
        try:
            for n in range(each):
                choice = Choice(
                    profile_id=ada.id, topic=f"topic-{worker}-{n}", channel="email", state="denied", source=Source.PAGE
                )
                ledger.record([choice], now=now)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(append, range(threads)))
    rows = list(ConsentRecord.objects.order_by("seq"))
    assert [row.seq for row in rows] == list(range(1, threads * each + 1))
    assert len({row.subject_ref for row in rows}) == 1
    assert all(row.previous == before.hash for before, row in pairwise(rows))
    assert all(row.hash == chain.link(row) for row in rows)


def test_CO20_a_row_read_back_still_has_its_hash(ada: Profile, news: Topic, decide: Decide) -> None:
    decide(ada, "news", "granted", wording="Ä “quoted” text ✓", locale="de", message=uuid4(), evidence={"ü": "✓"})
    row = ConsentRecord.objects.get()
    assert row.hash == chain.link(row)


@pytest.mark.parametrize("name", [name for name in chain.HASHED if name != "id"])
def test_CO20_no_field_of_a_row_can_change_without_its_hash(
    ada: Profile, news: Topic, decide: Decide, now: datetime, name: str
) -> None:
    decide(ada, "news", "granted")
    row = ConsentRecord.objects.get()
    other = {"seq": 2, "subject_ref": uuid4(), "message": uuid4()}
    setattr(row, name, other.get(name, now + timedelta(seconds=1) if name.endswith("_at") else "other"))
    assert row.hash != chain.link(row)


def test_CO21_without_its_salt_evidence_cannot_be_guessed_back(ada: Profile, news: Topic, decide: Decide) -> None:
    decide(ada, "news", "granted", evidence={"ip": "192.0.2.0"})
    kept = ConsentEvidence.objects.get()
    row = ConsentRecord.objects.get()
    assert row.evidence == chain.commitment(kept.salt, {"ip": "192.0.2.0"})
    kept.delete()
    row = ConsentRecord.objects.get()
    assert row.hash == chain.link(row)
    for unsalted in (b"", chain.canonical({"ip": "192.0.2.0"})):
        assert row.evidence != chain.commitment(unsalted.hex(), {"ip": "192.0.2.0"})


def test_CO21_the_same_evidence_of_two_people_leaves_nothing_in_common(
    ada: Profile, ben: Profile, news: Topic, decide: Decide
) -> None:
    for one in (ada, ben):
        decide(one, "news", "granted", evidence={"ip": "192.0.2.0"})
    assert len(set(ConsentRecord.objects.values_list("evidence", flat=True))) == 2


# ── CO-22, CO-23 ─────────────────────────────────────────────────────────────────────────────────────────────────────

_decisions = st.lists(
    st.tuples(
        st.sampled_from(["news", "tips", "receipts", EVERYTHING]),
        st.sampled_from(["email", "sms"]),
        st.sampled_from(DECISIONS),
        st.sampled_from([Source.PAGE, Source.API, Source.IMPORT, Source.ONE_CLICK]),
        st.one_of(st.none(), st.integers(-5, 5)),
        st.booleans(),
        st.one_of(st.none(), st.integers(-5, 5)),  # when a yes runs out, among the calls
    ),
    max_size=12,
)


@given(decisions=_decisions, calls=st.integers(1, 4))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_CO22_the_states_are_the_fold_of_the_ledger(
    person: Callable[..., Profile],
    news: Topic,
    tips: Topic,
    receipts: Topic,
    now: datetime,
    decisions: list[tuple],
    calls: int,
) -> None:
    one = person(str(uuid4()))
    choices = [
        Choice(
            profile_id=one.id,
            topic=topic,
            channel=channel,
            state="denied" if topic == EVERYTHING else state,
            source=source,
            occurred_at=None if minutes is None else now + timedelta(minutes=minutes),
            evidence={"form": "7"} if proven else None,
            expires_at=now + timedelta(minutes=ends)
            if ends is not None and state == "granted" and topic != EVERYTHING
            else None,
        )
        for topic, channel, state, source, minutes, proven, ends in decisions
    ]
    for place in range(calls):
        ledger.record(choices[place::calls], now=now + timedelta(minutes=place))
    made: dict[tuple[str, str], list[Decision]] = {}
    for row in ConsentRecord.objects.filter(subject_ref__in=one.subjects.values("ref")).order_by("seq"):
        made.setdefault((row.topic, row.channel), []).append(Decision.of(row))
    kept = {(row.topic, row.channel): (row.state, row.record, row.since, row.expires_at) for row in one.consents.all()}
    assert kept == {
        key: (found.state, found.record, found.since, found.expires_at)
        for key, rows in made.items()
        if (found := folded(rows))
    }


@pytest.mark.parametrize("order", [["granted", "denied"], ["denied", "granted"]])
def test_CO23_of_a_yes_and_a_no_at_the_same_time_the_no_wins(
    ada: Profile, news: Topic, now: datetime, order: list[str]
) -> None:
    at = now - timedelta(days=1)
    choices = [
        Choice(profile_id=ada.id, topic="news", channel="email", state=state, source=Source.PAGE, occurred_at=at)
        for state in order
    ]
    ledger.record(choices, now=now)
    assert state_of(ada, "news") == "denied"
    assert ConsentRecord.objects.count() == 2


def test_CO23_silence_is_no_consent(ada: Profile, news: Topic, tips: Topic) -> None:
    assert not states.allows(news, None)
    assert states.allows(tips, None)  # an existing customer, until they say no


def test_the_clock_of_a_client_does_not_order_decisions(
    ada: Profile, news: Topic, decide: Decide, now: datetime
) -> None:
    decide(ada, "news", "granted")
    decide(ada, "news", "denied", occurred_at=now - timedelta(days=30))
    assert state_of(ada, "news") == "denied"


# ── CO-12 ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("how", ["the topic itself", "all of the channel", "everything"])
@pytest.mark.parametrize("source", [s for s in Source if s not in (Source.PAGE, Source.DOUBLE_OPT_IN)])
def test_CO12_nobody_else_can_turn_a_refusal_into_a_consent(
    ada: Profile, news: Topic, decide: Decide, source: str, how: str
) -> None:
    refusal = {"the topic itself": ("news", "email"), "all of the channel": (EVERYTHING, "email")}
    topic, channel = refusal.get(how, (EVERYTHING, EVERYTHING))
    decide(ada, topic, "denied", channel)
    outcome = decide(ada, "news", "granted", source=source)
    assert outcome.verdict == "refused"
    assert "Only they can take that back" in outcome.reason
    assert state_of(ada, "news") == "denied"
    kept = RefusedUpgrade.objects.get()
    assert (kept.topic, kept.channel, kept.source, kept.reason) == ("news", "email", source, outcome.reason)


@pytest.mark.parametrize(
    ("source", "evidence"),
    [(Source.PAGE, None), (Source.DOUBLE_OPT_IN, None), (Source.API, {"wording": "Yes", "source": "form"})],
)
def test_CO12_the_person_can(
    ada: Profile, news: Topic, decide: Decide, source: str, evidence: dict[str, str] | None
) -> None:
    decide(ada, "news", "denied")
    assert decide(ada, "news", "granted", source=source, evidence=evidence).verdict == "recorded"
    assert state_of(ada, "news") == "granted"
    assert not RefusedUpgrade.objects.exists()


def test_CO12_evidence_makes_no_own_act_of_an_import(ada: Profile, news: Topic, decide: Decide) -> None:
    decide(ada, "news", "denied")
    assert decide(ada, "news", "granted", source=Source.IMPORT, evidence={"file": "old.csv"}).verdict == "refused"


# ── Refusals of everything ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_refusal_of_everything_takes_back_what_was_agreed_to(
    ada: Profile, news: Topic, receipts: Topic, decide: Decide
) -> None:
    decide(ada, "news", "granted")
    decide(ada, "news", "granted", "sms")
    decide(ada, "receipts", "granted")
    outcome = decide(ada, EVERYTHING, "denied", EVERYTHING)
    assert len(outcome.rows) == 3
    assert [state_of(ada, "news", channel) for channel in ("email", "sms")] == ["denied", "denied"]
    assert state_of(ada, "receipts") == "granted"


def test_UN08_a_refusal_of_a_channel_leaves_the_others(ada: Profile, news: Topic, tips: Topic, decide: Decide) -> None:
    decide(ada, "news", "granted")
    decide(ada, "news", "granted", "sms")
    decide(ada, EVERYTHING, "denied", "email")
    assert state_of(ada, "news") == "denied"
    assert state_of(ada, "tips") == "denied"  # never chosen, and refused all the same
    assert state_of(ada, "news", "sms") == "granted"


def test_a_refusal_of_everything_reaches_what_was_agreed_to_after_an_earlier_one(
    ada: Profile, news: Topic, decide: Decide
) -> None:
    decide(ada, EVERYTHING, "denied", "email")
    decide(ada, "news", "granted")
    assert state_of(ada, "news") == "granted"
    assert decide(ada, EVERYTHING, "denied", "email").verdict == "recorded"
    assert state_of(ada, "news") == "denied"


def test_what_needs_no_consent_goes_on_after_everything_is_stopped(
    ada: Profile, receipts: Topic, decide: Decide
) -> None:
    decide(ada, EVERYTHING, "denied", EVERYTHING)
    assert state_of(ada, "receipts") is None
    assert states.allows(receipts, None)


# ── CO-09 ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_CO09_a_refusal_waits_for_those_who_are_about_to_send_and_is_seen_by_those_who_come_after(
    transactional_db: None, person: Callable[..., Profile], now: datetime
) -> None:
    from django.db import transaction

    ada = person("ada")
    Topic.objects.create(slug="news", name="News", channels=["email"])
    key = (ada.id, "news", "email")

    def refuse() -> None:
        try:
            ledger.record(
                [Choice(profile_id=ada.id, topic="news", channel="email", state="denied", source=Source.ONE_CLICK)],
                now=now,
            )
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert states.lock([key], now=now) == {}
            refusing = pool.submit(refuse)
            with pytest.raises(TimeoutError):
                refusing.result(timeout=0.3)
            assert not ConsentState.objects.exists()
        refusing.result(timeout=10)
    with transaction.atomic():
        assert states.lock([key], now=now)[key].state == "denied"
