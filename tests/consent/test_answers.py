import json
from collections.abc import Callable
from datetime import datetime, timedelta

from consent import answers, suppression, verification
from consent.ledger import Outcome
from consent.models import (
    ConsentEvidence,
    ConsentRecord,
    ConsentState,
    Preference,
    RefusedUpgrade,
    Subject,
    Suppression,
    Topic,
)
from foundation import registry
from profiles.models import Profile

Decide = Callable[..., Outcome]


def test_ER01_erasure_deletes_the_link_and_the_evidence_and_keeps_the_rows(
    ada: Profile, ben: Profile, news: Topic, decide: Decide
) -> None:
    for one in (ada, ben):
        decide(one, "news", "granted", evidence={"form": f"filled in by {one.first_name}"})
    decide(ada, "news", "denied")
    decide(ada, "news", "granted", source=ConsentRecord.Source.IMPORT)
    Preference.objects.create(profile=ada, intensity="less")
    rows = list(ConsentRecord.objects.order_by("subject_ref", "seq").values())
    answers.erase(ada)
    assert list(ConsentRecord.objects.order_by("subject_ref", "seq").values()) == rows
    assert [kept.data for kept in ConsentEvidence.objects.all()] == [{"form": "filled in by Ben"}]
    assert not Subject.objects.filter(profile=ada).exists()
    assert not ConsentState.objects.filter(profile=ada).exists()
    assert not Preference.objects.filter(profile=ada).exists()
    assert not RefusedUpgrade.objects.filter(profile=ada).exists()
    assert not list(verification.verify())


def test_ER01_the_addresses_stay_suppressed_for_everything(ada: Profile) -> None:
    ada.phone = "+49 30 123456"
    answers.erase(ada)
    for channel, address in (("email", "ADA@example.com"), ("sms", "+4930123456")):
        (found,) = suppression.find(channel, [address])[address]
        assert (found.reason, found.scope) == (Suppression.Reason.ERASED, Suppression.Scope.ALL)


def test_ER06_erasing_twice_changes_nothing(ada: Profile, news: Topic, decide: Decide) -> None:
    decide(ada, "news", "denied")
    answers.erase(ada)
    answers.erase(ada)
    assert ConsentRecord.objects.count() == Suppression.objects.count() == 1


def test_ER02_who_comes_back_begins_anew_and_the_block_still_stands(
    ada: Profile, person: Callable[..., Profile], news: Topic, decide: Decide
) -> None:
    decide(ada, "news", "granted")
    before = Subject.objects.get().ref
    answers.erase(ada)
    ada.delete()
    again = person("ada", email="ada@example.com")
    decide(again, "news", "granted")
    assert Subject.objects.get().ref != before
    assert suppression.find("email", ["ada@example.com"])["ada@example.com"]
    assert again.email == "ada@example.com"


def test_CO07_the_download_tells_every_decision_with_what_was_shown_and_its_proof(
    ada: Profile, ben: Profile, news: Topic, decide: Decide, now: datetime
) -> None:
    decide(ada, "news", "granted", wording="Yes, send me news.", locale="en", evidence={"control": "Yes"})
    decide(ada, "news", "denied", now=now + timedelta(days=1))
    decide(ben, "news", "denied")
    suppression.add("email", "ada@example.com", Suppression.Reason.COMPLAINT, now, Suppression.Scope.MARKETING)
    (found,) = [part["consent"] for part in registry.export.ask(ada) if "consent" in part]
    assert json.loads(json.dumps(found)) == found
    first, second = found["decisions"]
    assert (first["wording"], first["evidence"], first["state"]) == (
        "Yes, send me news.",
        {"control": "Yes"},
        "granted",
    )
    assert second["state"] == "denied"
    assert found["choices"] == [
        {
            "topic": "news",
            "channel": "email",
            "state": "denied",
            "since": (now + timedelta(days=1)).isoformat(),
            "expires_at": None,
        }
    ]
    assert found["blocked_addresses"][0]["address"] == "ada@example.com"
