"""A yes that runs out: written down once, and over at its moment even before that."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from rest_framework.test import APIClient

from consent import expiring, ledger, links, receipts, states, topics, validity, verification
from consent.ledger import EVERYTHING, Choice, Outcome
from consent.models import ConsentRecord, ConsentState, RefusedUpgrade, State, Topic
from foundation import clock
from foundation.errors import Invalid
from messaging import dispatch, templates
from messaging.models import Message
from messaging.outbox import Request, enqueue
from profiles.models import Profile
from segments.language import parse
from staff import keys
from staff.models import Key

Source = ConsentRecord.Source
Decide = Callable[..., Outcome]
SECOND = timedelta(seconds=1)


@pytest.fixture
def yearly(news: Topic) -> Topic:
    """News, to which a yes counts for two years."""
    Topic.objects.filter(id=news.id).update(valid_months=24)
    news.refresh_from_db()
    return news


@pytest.fixture
def end(now: datetime) -> datetime:
    return validity.later(now, 24)


def state_of(profile: Profile, at: datetime, topic: str = "news") -> str | None:
    found = states.of([profile.id], topic, "email", now=at).get(profile.id)
    return found.state if found else None


def story(profile: Profile) -> list[tuple[str, str]]:
    rows = ConsentRecord.objects.filter(subject_ref__in=profile.subjects.values("ref")).order_by("seq")
    return [(row.state, row.source) for row in rows]


def test_CO13_a_yes_runs_out_at_its_moment_and_the_ledger_says_so_once(
    ada: Profile, yearly: Topic, decide: Decide, end: datetime
) -> None:
    decide(ada, "news", "granted")
    assert ConsentRecord.objects.get().expires_at == end
    assert state_of(ada, end - SECOND) == "granted"
    assert state_of(ada, end) == state_of(ada, end + SECOND) == "expired"  # no loop has run yet
    assert expiring.tick(end - SECOND) == 0
    assert expiring.tick(end + SECOND) == 1
    assert expiring.tick(end + timedelta(days=400)) == 0
    assert story(ada) == [("granted", "page"), ("expired", "expiry")]
    row = ConsentState.objects.get()
    assert (row.state, row.since, row.expires_at) == ("expired", end, None)
    assert not list(verification.verify())
    assert verification.rebuild([ada.id], now=end) == 1
    assert not list(verification.verify())


def test_CO13_a_message_is_held_back_with_the_reason_before_and_after_the_loop(
    ada: Profile, news: Topic, decide: Decide, now: datetime, settings: Any, tmp_path: Any
) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_FILE_PATH = "django.core.mail.backends.filebased.EmailBackend", str(tmp_path)
    settings.POSTAL_ADDRESS = "1 Main Street"
    end = now + timedelta(days=7)
    decide(ada, "news", "granted", expires_at=end)
    blocks = [{"kind": "text", "text": "Hello"}]
    templates.save("hello", name="Hello", channel="email", topic="news", subject="Hello", blocks=blocks, now=now)

    def send(at: datetime, key: str) -> Message:
        (id,) = enqueue([Request(key=key, profile_id=ada.id, template="hello", channel="email")], now=at)
        dispatch.tick(at)
        return Message.objects.get(id=id)

    assert send(end - SECOND, "a").state == "sent"
    for at, key in ((end + SECOND, "b"), (end + timedelta(days=1), "c")):
        held = send(at, key)
        assert (held.state, held.guardrail, held.evidence["reason"]) == ("suppressed", "consent", "consent_expired")
        assert "has not renewed it since" in held.reason
        expiring.tick(at)


def test_a_topic_on_another_basis_is_not_sent_either_once_the_yes_ran_out(tips: Topic) -> None:
    assert not states.allows(tips, ConsentState(state=State.EXPIRED))


def test_CO13_what_ran_out_is_renewed_by_the_person_and_by_nobody_else(
    ada: Profile, yearly: Topic, decide: Decide, now: datetime, end: datetime
) -> None:
    decide(ada, "news", "granted", evidence={"form": "7"})
    old: dict[str, Any] = {"source": Source.API, "evidence": {"form": "7"}, "occurred_at": now}
    for fields in ({"source": Source.IMPORT}, {"source": Source.STAFF}, {"source": Source.JOURNEY}, old):
        outcome = decide(ada, "news", "granted", now=end + SECOND, **fields)
        assert (outcome.verdict, outcome.state) == ("refused", "expired")
        assert "ran out" in outcome.reason
    assert RefusedUpgrade.objects.count() == 4
    assert decide(ada, "news", "granted", now=end + SECOND).verdict == "recorded"
    assert story(ada) == [("granted", "page"), ("expired", "expiry"), ("granted", "page")]
    assert state_of(ada, end + SECOND) == "granted"
    assert ConsentState.objects.get().expires_at == validity.later(end + SECOND, 24)
    assert not list(verification.verify())


def test_a_yes_of_the_very_moment_at_which_the_old_one_runs_out_counts(
    ada: Profile, yearly: Topic, decide: Decide, end: datetime
) -> None:
    decide(ada, "news", "granted")
    decide(ada, "news", "granted", now=end)
    assert state_of(ada, end + SECOND) == "granted"


def test_a_yes_may_end_sooner_than_its_topic_says_but_not_later(
    ada: Profile, ben: Profile, yearly: Topic, decide: Decide, now: datetime, end: datetime
) -> None:
    decide(ada, "news", "granted", expires_at=now + timedelta(days=7))
    decide(ben, "news", "granted", expires_at=end + timedelta(days=7))
    assert (state_of(ada, now + timedelta(days=7)), state_of(ben, end)) == ("expired", "expired")


def test_what_was_agreed_to_before_a_topic_had_an_end_has_none(
    ada: Profile, news: Topic, decide: Decide, now: datetime
) -> None:
    decide(ada, "news", "granted")
    Topic.objects.update(valid_months=1)
    assert state_of(ada, now + timedelta(days=4_000)) == "granted"


def test_a_refusal_of_everything_reaches_what_ran_out(
    ada: Profile, yearly: Topic, decide: Decide, end: datetime
) -> None:
    decide(ada, "news", "granted")
    decide(ada, EVERYTHING, "denied", EVERYTHING, now=end + SECOND)
    assert state_of(ada, end + SECOND) == "denied"
    assert story(ada) == [("granted", "page"), ("expired", "expiry"), ("denied", "page"), ("denied", "page")]


# ── What nobody said: a purchase, an inquiry ─────────────────────────────────────────────────────────────────────────
PROVEN = {"event": "order-7", "opt_out_offered": True}


@pytest.mark.parametrize(("kind", "months"), [("purchase", 24), ("inquiry", 6)])
def test_CO13_CASL_an_implied_yes_counts_as_long_as_the_law_says(
    ada: Profile, news: Topic, decide: Decide, now: datetime, kind: str, months: int
) -> None:
    bought = datetime(2026, 8, 31, 12, tzinfo=UTC)
    decide(ada, "news", "granted", source=Source.API, implied=kind, occurred_at=bought, evidence=PROVEN)
    end = datetime(2028, 8, 31, 12, tzinfo=UTC) if months == 24 else datetime(2027, 2, 28, 12, tzinfo=UTC)
    assert (state_of(ada, end - SECOND), state_of(ada, end + SECOND)) == ("granted", "expired")
    decide(ada, "news", "granted", source=Source.API, implied=kind, occurred_at=end + SECOND, evidence=PROVEN,
           now=end + 2 * SECOND)  # fmt: skip
    assert state_of(ada, end + 2 * SECOND) == "granted"  # they bought again


def test_an_implied_yes_shortens_none_that_was_said_and_overturns_no_refusal(
    ada: Profile, ben: Profile, news: Topic, decide: Decide, now: datetime
) -> None:
    decide(ada, "news", "granted")
    decide(ben, "news", "denied")
    bought: dict[str, Any] = {"source": Source.API, "implied": "purchase", "evidence": PROVEN}
    later = now + timedelta(days=1)
    assert decide(ada, "news", "granted", occurred_at=later, now=later, **bought).verdict == "unchanged"
    assert decide(ben, "news", "granted", occurred_at=later, now=later, **bought).verdict == "refused"


@pytest.mark.parametrize(
    ("evidence", "field"),
    [(None, "evidence.event"), ({"event": "order-7"}, "opt_out_offered"), ({"opt_out_offered": True}, "event"),
     ({"event": "order-7", "opt_out_offered": False}, "opt_out_offered")],
)  # fmt: skip
def test_CO11_a_soft_opt_in_needs_the_purchase_and_that_a_no_was_offered(
    ada: Profile, news: Topic, decide: Decide, now: datetime, evidence: dict[str, Any] | None, field: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        decide(ada, "news", "granted", source=Source.API, implied="purchase", occurred_at=now, evidence=evidence)
    assert any(field in problem.path for problem in refusal.value.problems)


@pytest.mark.parametrize("change", [{"evidence": ""}, {"expires_at": None}, {"state": "denied"}])
def test_CO11_the_database_takes_no_implied_yes_without_its_proof(
    ada: Profile, news: Topic, decide: Decide, now: datetime, change: dict[str, Any]
) -> None:
    decide(ada, "news", "granted", source=Source.API, implied="purchase", occurred_at=now, evidence=PROVEN)
    row = ConsentRecord.objects.get()
    row.pk, row.seq, row._state.adding = ada.id, 2, True
    for name, value in change.items():
        setattr(row, name, value)
    with pytest.raises(IntegrityError, match=r"implied_is_proven|only_a_yes"), transaction.atomic():
        row.save()


# ── Who else sees it ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_segments_see_it_at_the_moment_and_look_again_at_that_moment(
    ada: Profile, yearly: Topic, decide: Decide, now: datetime, end: datetime
) -> None:
    decide(ada, "news", "granted")

    def said(state: str, at: datetime) -> bool:
        leaf = {"kind": "consent", "topic": "news", "channel": "email", "state": state}
        return ada.id in parse(leaf).matching(None, at=at)

    for _ in range(2):
        assert said("granted", end - SECOND)
        assert not said("expired", end - SECOND)
        assert said("expired", end)
        assert not said("granted", end)
        assert not said("unset", end)
        expiring.tick(end + SECOND)


def test_the_page_says_until_when_and_offers_to_renew(
    client: Client, ada: Profile, yearly: Topic, decide: Decide, now: datetime, end: datetime, monkeypatch: Any
) -> None:
    decide(ada, "news", "granted")

    def page(at: datetime, **fields: str) -> str:
        monkeypatch.setattr(clock, "now", lambda: at)
        path = urlsplit(links.preferences_url(ada, at)).path
        return (client.post(path, fields) if fields else client.get(path)).content.decode()

    assert "It counts until Nov. 24, 2028; then we ask you anew here." in page(now)
    told = page(end + SECOND)
    assert "You agreed to this until Nov. 24, 2028, and that is over." in told
    assert "checked" not in told.split('name="news.email"')[1].split(">")[0]
    seen = told.split('name="seen" value="')[1].split('"')[0]
    page(end + SECOND, do="save", seen=seen, **{"news.email": "granted"})
    assert state_of(ada, end + 2 * SECOND) == "granted"


def test_PP07_a_page_from_before_the_end_renews_nothing_by_itself(
    client: Client, ada: Profile, yearly: Topic, decide: Decide, now: datetime, end: datetime, monkeypatch: Any
) -> None:
    from consent.choosing import seen

    decide(ada, "news", "granted")
    opened = seen(ada)
    expiring.tick(end)
    monkeypatch.setattr(clock, "now", lambda: end + SECOND)
    path = urlsplit(links.preferences_url(ada, end)).path
    answer = client.post(path, {"do": "save", "seen": opened, "news.email": "granted", "intensity": "less"})
    assert 'role="alert"' in answer.content.decode()
    assert state_of(ada, end + SECOND) == "expired"


def test_programs_read_and_write_ends_and_what_is_implied(ada: Profile, now: datetime) -> None:
    _key, secret = keys.create("Shop", kind=Key.Kind.SECRET, scopes=["consent:write"], now=now)
    api = APIClient(headers={"authorization": f"Bearer {secret}"})
    topics.save("news", name="News", description="d", purpose="p", basis="consent", channels=["email"],
                valid_months=24, now=now)  # fmt: skip
    address = f"/api/v1/profiles/{ada.external_id}/consent/"
    at = clock.now()
    by = {"kind": "purchase", "event": "order-7", "at": at.isoformat(), "opt_out_offered": True}
    asked = {"topic": "news", "channel": "email", "state": "granted"}
    answer = api.put(address, {**asked, "implied_by": by}, format="json")
    assert answer.status_code == 200, answer.json()
    assert answer.json()["expires_at"][:10] == validity.later(at, 24).date().isoformat()
    answer = api.put(address, {**asked, "implied_by": {**by, "opt_out_offered": False}}, format="json")
    assert answer.status_code == 400
    ConsentState.objects.update(expires_at=at - SECOND)
    assert api.get(address).json()["results"][0]["state"] == "expired"


@pytest.mark.parametrize("field", ["valid_months", "min_age"])
@pytest.mark.parametrize("value", [0, 1_000])
def test_an_end_or_an_age_that_makes_no_sense_is_refused(now: datetime, field: str, value: int) -> None:
    fields: dict[str, Any] = {"name": "News", "description": "d", "purpose": "p", "basis": "consent", field: value}
    with pytest.raises(Invalid, match="must be between 1"):
        topics.save("news", channels=["email"], now=now, **fields)


def test_RC01_a_receipt_says_until_when_and_that_it_ran_out(
    ada: Profile, yearly: Topic, decide: Decide, end: datetime
) -> None:
    decide(ada, "news", "granted")
    expiring.tick(end + SECOND)
    ended, given = (receipt["events"][0] for receipt in receipts.of(ada))
    assert given["validity_duration"] == f"until {end.isoformat()}"
    assert (ended["event_type"], ended["event_state"]) == ("expired", "expired")


def test_CO20_when_a_yes_ends_cannot_be_changed_unseen(
    transactional_db: None, person: Callable[..., Profile], yearly: Topic, decide: Decide, tamper: Callable[[str], None]
) -> None:
    decide(person("ada"), "news", "granted")
    tamper("UPDATE consent_consentrecord SET expires_at = expires_at + interval '1 year'")
    assert "its contents are not those that were written" in str([str(found) for found in verification.verify()])


def test_CO20_rows_of_before_there_were_ends_keep_their_hash(ada: Profile, news: Topic, decide: Decide) -> None:
    from consent import chain

    decide(ada, "news", "granted")
    row = ConsentRecord.objects.get()
    import hashlib

    old = {name: chain._plain(getattr(row, name)) for name in chain.HASHED}
    assert row.hash == hashlib.sha256(chain.canonical(old)).hexdigest()


def test_the_loop_takes_many_and_few_statements(person: Any, yearly: Topic, end: datetime, now: datetime) -> None:
    people = [person(f"p{n}") for n in range(30)]
    choice: dict[str, Any] = {"topic": "news", "channel": "email", "state": "granted", "source": Source.PAGE}
    ledger.record([Choice(profile_id=one.id, **choice) for one in people], now=now)
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        assert expiring.tick(end) == 30
    assert len(queries) < 25


def test_a_yes_that_lasts_longer_counts_on_when_a_newer_one_has_run_out(
    ada: Profile, ben: Profile, news: Topic, decide: Decide, now: datetime
) -> None:
    soon, later = now + timedelta(days=7), now + timedelta(days=30)
    decide(ada, "news", "granted", expires_at=later)
    decide(ada, "news", "granted", now=now + SECOND, source=Source.API, evidence={"form": "7"}, expires_at=soon)
    # Told in the other order: what a file says of a day on which the first yes stood already.
    decide(ben, "news", "granted", source=Source.API, evidence={"form": "7"}, expires_at=soon)
    told: dict[str, Any] = {"source": Source.IMPORT, "occurred_at": now + SECOND, "expires_at": later}
    assert decide(ben, "news", "granted", now=now + 2 * SECOND, **told).verdict == "recorded"
    assert decide(ben, "news", "granted", now=now + 3 * SECOND, **told).verdict == "unchanged"
    expiring.tick(soon + SECOND)
    for one in (ada, ben):
        assert (state_of(one, soon + SECOND), state_of(one, later + SECOND)) == ("granted", "expired")
    assert not list(verification.verify())
    assert verification.rebuild([ada.id, ben.id], now=soon) == 2
    assert not list(verification.verify())
    # By itself a program that says the same again lengthens nothing: only they renew it, or what they said at a time.
    assert decide(ben, "news", "granted", now=soon, source=Source.JOURNEY).verdict == "unchanged"
    expiring.tick(later + SECOND)
    assert [state for state, _ in story(ben)] == ["granted", "granted", "expired"]
