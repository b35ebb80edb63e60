from datetime import datetime

import pytest

from consent import suppression
from consent.models import Suppression

Reason, Scope = Suppression.Reason, Suppression.Scope


def blocked(channel: str, address: str) -> bool:
    return bool(suppression.find(channel, [address])[address])


@pytest.mark.parametrize(
    "spelling",
    [
        "jose@bücher.example",
        "JOSE@BÜCHER.EXAMPLE",
        " jose@bücher.example ",
        "jose@xn--bcher-kva.example",
        "ｊｏｓｅ@bücher.example",
        "jose@bu\u0308cher.example",
        "jose@bücher.example.",
    ],
)
def test_CO27_an_address_is_blocked_in_whatever_spelling_it_comes(db: None, now: datetime, spelling: str) -> None:
    suppression.add("email", "Jose@Bücher.example", Reason.ERASED, now, Scope.ALL)
    assert blocked("email", spelling)


@pytest.mark.parametrize("other", ["jose+news@example.com", "jo.se@example.com", "jose@example.org", ""])
def test_CO27_addresses_of_other_people_are_not(db: None, now: datetime, other: str) -> None:
    suppression.add("email", "jose@example.com", Reason.HARD_BOUNCE, now, Scope.ALL)
    assert not blocked("email", other)


@pytest.mark.parametrize("spelling", ["+49 30 123456", "+49 (30) 12-34-56", "+49/30.123456", "＋４９３０１２３４５６"])
def test_CO27_so_is_a_telephone_number(db: None, now: datetime, spelling: str) -> None:
    suppression.add("sms", "+4930123456", Reason.ERASED, now, Scope.ALL)
    assert blocked("sms", spelling)


def test_an_address_is_blocked_on_its_channel_only(db: None, now: datetime) -> None:
    suppression.add("email", "jose@example.com", Reason.COMPLAINT, now, Scope.MARKETING)
    assert not blocked("sms", "jose@example.com")


def test_each_reason_is_kept_once(db: None, now: datetime) -> None:
    for reason in (Reason.COMPLAINT, Reason.COMPLAINT, Reason.HARD_BOUNCE):
        suppression.add("email", "jose@example.com", reason, now, Scope.ALL)
    found = suppression.find("email", ["jose@example.com"])["jose@example.com"]
    assert [row.reason for row in found] == ["complaint", "hard_bounce"]


def test_no_address_can_be_read_from_what_is_kept(db: None, now: datetime, settings: object) -> None:
    suppression.add("email", "jose@example.com", Reason.ERASED, now, Scope.ALL)
    kept = Suppression.objects.get()
    before = kept.address_hash
    settings.SUPPRESSION_KEY = "another"  # type: ignore[attr-defined]
    assert suppression.hash_of("jose@example.com") != before
    assert "jose" not in repr(Suppression.objects.values_list().get())
