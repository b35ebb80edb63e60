"""What is past its time goes, and the ledger stays whole."""

from collections.abc import Callable
from datetime import datetime, timedelta

from consent import attempts, keeping, tasks, verification
from consent.ledger import Outcome
from consent.models import Attempt, ConsentEvidence, ConsentRecord, Topic
from profiles import merging
from profiles.models import Profile

Decide = Callable[..., Outcome]
EVIDENCE_FOR = timedelta(days=keeping.EVIDENCE_FOR)
DAY = timedelta(days=1)
PROOF = {"page": "preferences", "control": "Save"}


def test_CO26_evidence_goes_three_years_after_the_end_and_the_ledger_stays(
    ada: Profile, ben: Profile, news: Topic, decide: Decide, now: datetime
) -> None:
    decide(ada, "news", "granted", evidence=PROOF)
    decide(ben, "news", "granted", evidence=PROOF)
    ended = now + 400 * DAY
    decide(ada, "news", "denied", evidence=PROOF, now=ended)
    rows = list(ConsentRecord.objects.order_by("id").values())
    assert tasks.forget(ended + EVIDENCE_FOR - DAY) == 0
    assert tasks.forget(ended + EVIDENCE_FOR + DAY) == 2
    assert ConsentEvidence.objects.count() == 1, "Ben's consent stands, and so does its proof"
    assert list(ConsentRecord.objects.order_by("id").values()) == rows
    assert list(verification.verify()) == []


def test_CO26_what_proves_a_consent_of_who_was_merged_is_kept(
    ada: Profile, ben: Profile, news: Topic, decide: Decide, now: datetime
) -> None:
    decide(ben, "news", "granted", evidence=PROOF)
    merging.merge([merging.Pair(ada.id, ben.id)], reason="The same.", now=now)
    assert tasks.forget(now + EVIDENCE_FOR + 9 * DAY) == 0
    assert ConsentEvidence.objects.count() == 1


def test_attempts_are_forgotten_after_a_day(db: None, now: datetime) -> None:
    for n in range(3):
        assert attempts.spend("form", "192.0.2.0/24", 3, DAY, now=now + timedelta(minutes=n)) is None
    assert attempts.spend("form", "192.0.2.0/24", 3, DAY, now=now + timedelta(hours=1)) == timedelta(hours=23)
    assert tasks.forget(now + DAY) == 1
    assert Attempt.objects.count() == 2
