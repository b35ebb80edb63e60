"""Topics to choose from, and short ways to decide."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from config.embedded import postgres
from consent import ledger
from consent.ledger import Choice, Outcome
from consent.models import ConsentRecord, Topic
from profiles.models import Profile

Source = ConsentRecord.Source


@pytest.fixture
def news(database: None) -> Topic:
    """A topic that needs a yes, by email and SMS."""
    return Topic.objects.create(
        slug="news",
        name="Product news",
        description="What is new, about once a month.",
        purpose="So that you can use what you pay for.",
        channels=["email", "sms"],
    )


@pytest.fixture
def tips(database: None) -> Topic:
    """A topic that existing customers get until they say no."""
    return Topic.objects.create(
        slug="tips",
        name="Tips",
        description="How others get more out of it.",
        purpose="To help you get started.",
        basis=Topic.Basis.SOFT_OPT_IN,
        channels=["email"],
    )


@pytest.fixture
def receipts(database: None) -> Topic:
    """A topic without which the product could not be used."""
    return Topic.objects.create(
        slug="receipts",
        name="Receipts",
        description="Your invoices.",
        purpose="The law asks for them.",
        basis=Topic.Basis.CONTRACT,
        transactional=True,
        channels=["email"],
    )


@pytest.fixture
def decide(now: datetime) -> Callable[..., Outcome]:
    """`decide(ada, "news", "granted")`: one decision, by default on the preference page and by email."""

    def decide(profile: Profile, topic: str, state: str, channel: str = "email", **fields: Any) -> Outcome:
        at = fields.pop("now", now)
        source = fields.pop("source", Source.PAGE)
        choice = Choice(profile_id=profile.id, topic=topic, channel=channel, state=state, source=source, **fields)
        return ledger.record([choice], now=at)[0]

    return decide


@pytest.fixture
def tamper(transactional_db: None) -> Callable[[str], None]:
    """Runs a statement as somebody who holds the database itself, with the ledger's triggers off."""
    from django.db import connection

    def tamper(statement: str) -> None:
        name = connection.settings_dict["NAME"]
        with postgres.server().connect(name, postgres.SUPERUSER) as superuser:
            superuser.execute("ALTER TABLE consent_consentrecord DISABLE TRIGGER ALL")
            superuser.execute(statement)
            superuser.execute("ALTER TABLE consent_consentrecord ENABLE ALWAYS TRIGGER consent_consentrecord_rows")
            superuser.execute("ALTER TABLE consent_consentrecord ENABLE ALWAYS TRIGGER consent_consentrecord_truncate")

    return tamper
