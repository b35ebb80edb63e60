"""Receipts: what somebody can keep as proof of what they said, in the fields of ISO/IEC TS 27560."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from jsonschema import Draft202012Validator, ValidationError  # type: ignore[import-untyped]
from rest_framework.test import APIClient

from consent import links, receipts
from consent.ledger import Outcome
from consent.models import ConsentRecord, Topic
from foundation import clock
from profiles import merging
from profiles.models import Profile
from staff import keys
from staff.models import Key

Decide = Callable[..., Outcome]
SCHEMA = Path(__file__).parent.parent.parent / "static" / "consent" / "receipt.schema.json"


def valid(receipt: dict[str, Any]) -> None:
    schema = json.loads(SCHEMA.read_text())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(receipt)


@pytest.fixture
def spoken(ada: Profile, ben: Profile, news: Topic, tips: Topic, decide: Decide, now: datetime) -> Profile:
    """Somebody who decided in every way that there is."""
    for n, source in enumerate(ConsentRecord.Source.values):
        state = "granted" if source in ("page", "import", "double_opt_in") else "denied"
        fields = {"wording": "Yes?", "locale": "de", "evidence": {"ip": "192.0.2.7", "agent": "Browser/1"}}
        extra: Any = fields if n % 2 else {}
        decide(ada, "news", state, source=source, now=now + timedelta(seconds=n), **extra)
    decide(ada, "gone", "denied", now=now + timedelta(minutes=1))
    decide(ben, "tips", "granted", now=now)
    merging.merge([merging.Pair(ada.id, ben.id)], reason="The same.", now=now + timedelta(minutes=2))
    decide(ada, "*", "denied", channel="*", now=now + timedelta(minutes=3))
    return ada


def test_RC01_every_decision_has_a_receipt_with_all_that_must_be_in_it(spoken: Profile) -> None:
    found = receipts.of(spoken)
    assert len(found) == ConsentRecord.objects.count() > 6
    for receipt in found:
        valid(receipt)
    assert {receipt["events"][0]["event_type"] for receipt in found} == {"given", "refused", "withdrawn"}
    assert any(receipt["processing"][0]["purpose"].startswith("All messages") for receipt in found)
    assert found == receipts.of(spoken)


def test_RC02_a_receipt_says_nothing_of_machines_and_names_nobody(spoken: Profile) -> None:
    text = json.dumps(receipts.of(spoken))
    for secret in ("192.0.2.7", "Browser/1", "ada@example.com", "Ada", str(spoken.id)):
        assert secret not in text
    receipt = receipts.of(spoken)[0]
    for part in (receipt, receipt["header"], receipt["processing"][0], receipt["events"][0], receipt["parties"][0]):
        part["ip"] = "192.0.2.7"
        with pytest.raises(ValidationError):
            valid(receipt)
        del part["ip"]


def test_every_way_to_decide_is_told() -> None:
    assert set(receipts._HOW) == set(ConsentRecord.Source)


def test_TK06_it_is_a_file_for_who_has_a_fresh_link(
    ada: Profile, news: Topic, decide: Decide, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: now)
    decide(ada, "news", "granted", wording="News?", locale="en")
    client = Client()
    path = urlsplit(links.preferences_url(ada, now)).path
    assert 'href="receipts/"' in client.get(path).content.decode()
    answer = client.get(f"{path}receipts/", headers={"accept-language": "de"})
    assert answer.headers["Content-Disposition"] == 'attachment; filename="my-receipts.json"'
    (receipt,) = answer.json()["receipts"]
    valid(receipt)
    assert receipt["processing"][0]["privacy_notice"] == "News?"
    assert receipt["processing"][0]["purpose"].startswith("Product news (Email)")
    old = urlsplit(links.preferences_url(ada, now - timedelta(days=2))).path
    assert client.get(f"{old}receipts/").status_code == 403
    assert client.get("/preferences/nothing/receipts/").status_code == 404


def test_RC01_programs_get_them_too(ada: Profile, news: Topic, decide: Decide, now: datetime) -> None:
    decide(ada, "news", "denied")
    _key, secret = keys.create("Desk", kind=Key.Kind.SECRET, scopes=["consent:read"], now=now)
    api = APIClient(headers={"authorization": f"Bearer {secret}"})
    (receipt,) = api.get("/api/v1/profiles/ada/receipts/").json()
    valid(receipt)
    assert api.get("/api/v1/profiles/who/receipts/").status_code == 404
