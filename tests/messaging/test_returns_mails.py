"""Mails that report on mails: of several servers' making, of addresses that are ours, and of none."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest

from consent.models import Suppression
from foundation import inbound
from messaging.models import Message
from messaging.returns import applying, mails, verp
from messaging.returns.models import Report
from profiles.models import Profile
from tests.messaging.conftest import state_of
from tests.messaging.returning import arf, dsn, handed_over

RETURNS = "bounces@mail.example.com"


@pytest.fixture(autouse=True)
def ours(settings: Any) -> None:
    settings.BOUNCE_ADDRESS = RETURNS


@pytest.fixture
def sent(ada: Profile, write: Any, agree: Any, queue: Callable[..., Message], now: datetime) -> Message:
    write()
    agree(ada)
    return handed_over(queue(ada), now)


@pytest.fixture
def come_in(now: datetime) -> Callable[..., list[str]]:
    """Lets a mail come in, and acts on it; what was said of it."""

    def receive(raw: bytes, to: str = "", sender: str = "") -> list[str]:
        said = inbound.receive(inbound.parse(raw, to=to, sender=sender), now=now.replace(minute=10))
        applying.tick(now.replace(minute=10))
        return said

    return receive


def _blocks() -> list[tuple[str, str]]:
    return sorted(Suppression.objects.values_list("reason", "scope"))


# ── The address that mail goes back to ───────────────────────────────────────────────────────────────────────────────
def test_the_address_that_mail_goes_back_to_is_signed_short_and_survives_what_servers_do_to_it(settings: Any) -> None:
    message = uuid4()
    address = verp.address_of(message)
    local, _, domain = address.partition("@")
    assert (domain, len(local) <= 64, local == local.lower()) == ("mail.example.com", True, True)
    for spelled in (address, address.upper(), f"<{address}>", f" {address} "):
        assert verp.message_of(spelled) == message
    settings.LINK_KEYS = {**settings.LINK_KEYS, "next": "another-key-of-sixteen"}
    assert verp.message_of(address) == message != verp.message_of(verp.address_of(uuid4()))


@pytest.mark.parametrize("n", range(8, 50, 5))
def test_an_address_that_we_did_not_sign_is_about_nothing(n: int) -> None:
    address = verp.address_of(uuid4())
    changed = address[:n] + ("a" if address[n] != "a" else "b") + address[n + 1 :]
    assert verp.message_of(changed) is None
    for other in ("", "bounces@mail.example.com", "bounces+@mail.example.com", "bounces+!@mail.example.com",
                  address.replace("mail.", "evil."), "x" + address):  # fmt: skip
        assert verp.message_of(other) is None


def test_a_mail_over_smtp_goes_back_to_the_address_of_its_own(
    ada: Profile, write: Any, agree: Any, queue: Any, sink: Any, now: datetime
) -> None:
    from messaging import dispatch

    senders: list[str] = []

    async def keep(server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        senders.append(address)
        envelope.mail_from = address
        return "250 OK"

    sink.handle_MAIL = keep
    write()
    agree(ada)
    message = queue(ada)
    dispatch.tick(now)
    assert senders == [verp.address_of(message.id)]
    (mail,) = sink.mails
    assert "mail.example.com" not in str(mail["From"])


# ── Reports of delivery ──────────────────────────────────────────────────────────────────────────────────────────────
EXIM = """Return-path: <>
X-Failed-Recipients: ada@example.com
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@exim.example.net>
To: {returns}
Subject: Mail delivery failed: returning message to sender
Date: Tue, 24 Nov 2026 10:05:00 +0000

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  ada@example.com
    host mx.example.com [192.0.2.1]
    SMTP error from remote mail server after RCPT TO:<ada@example.com>:
    550 Unrouteable address

------ This is a copy of the message, including all the headers. ------

Message-ID: {message_id}
Subject: quota exceeded, spam, blocked
"""
QMAIL = """From: MAILER-DAEMON@qmail.example.net
To: {returns}
Subject: failure notice
Date: 24 Nov 2026 10:05:00 -0000

Hi. This is the qmail-send program at qmail.example.net.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<ada@example.com>:
192.0.2.1 does not like recipient.
Remote host said: 550 5.1.1 <ada@example.com>: no such user

--- Below this line is a copy of the message.
"""
EXCHANGE = {
    "From": "Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@contoso.example>",
    "Subject": "Undeliverable: News",
    "Content-Type": 'multipart/report; report-type=delivery-status;\n\tboundary="BOUND"; charset="utf-8"',
    "X-MS-Exchange-Message-Is-Ndr": "",
}
GMAIL = {
    "From": "Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
    "Subject": "Delivery Status Notification (Failure)",
    "X-Failed-Recipients": "ada@example.com",
}
EXCHANGE_FIELDS = [
    "X-Supplementary-Info: <mx.contoso.example #5.1.10 smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound>",
    "X-Display-Name: ada@example.com",
]


@pytest.mark.parametrize(
    ("made", "state", "blocks"),
    [
        (lambda to, id: dsn("5.1.1", returns=to, diagnostic="550 5.1.1 <ada@example.com>: Recipient address rejected"),
         "bounced", [("hard_bounce", "all")]),
        (lambda to, id: dsn("5.1.10", returns=to, headers=EXCHANGE, fields=EXCHANGE_FIELDS, diagnostic="550 5.1.10 X"),
         "bounced", [("hard_bounce", "all")]),
        (lambda to, id: dsn("5.2.1", returns=to, headers=GMAIL,
                            diagnostic="550-5.2.1 The email account that you tried to reach is\n disabled. - gsmtp"),
         "bounced", [("hard_bounce", "all")]),
        (lambda to, id: dsn("5.0.0", returns=to, text="Der Empfänger existiert nicht."),
         "bounced", [("hard_bounce", "all")]),
        (lambda to, id: EXIM.format(returns=to, message_id=id).encode(), "bounced", [("hard_bounce", "all")]),
        (lambda to, id: QMAIL.format(returns=to).encode(), "bounced", [("hard_bounce", "all")]),
        (lambda to, id: dsn("5.2.2", returns=to, diagnostic="552 5.2.2 mailbox full"), "failed", []),
        (lambda to, id: dsn("4.4.7", returns=to, diagnostic="delivery time expired"), "failed", []),
        (lambda to, id: dsn("4.2.2", returns=to, diagnostic="550 mailbox is full"), "failed", []),
        (lambda to, id: dsn("5.7.1", returns=to, diagnostic="550 5.7.1 blocked using Spamhaus"), "failed", []),
        (lambda to, id: dsn("5.3.4", returns=to, diagnostic="552 5.3.4 too big"), "failed", []),
        (lambda to, id: dsn("4.4.1", returns=to, action="delayed", diagnostic="connection timed out"), "sent", []),
        (lambda to, id: dsn("2.1.5", returns=to, action="delivered", diagnostic="250 2.1.5 OK"), "delivered", []),
        (lambda to, id: dsn("2.0.0", returns=to, action="relayed"), "sent", []),
    ],
)  # fmt: skip
def test_bo_01_to_bo_04_reports_of_several_servers_are_read(
    made: Callable[[str, str], bytes], state: str, blocks: list[Any], sent: Message, come_in: Any
) -> None:
    raw = made(verp.address_of(sent.id), sent.message_id)
    assert come_in(raw) == ["It reports on 1 of our messages."]
    assert (state_of(sent.id).state, _blocks()) == (state, blocks)
    assert come_in(raw) == ["It had been read before."]


def test_a_report_is_kept_as_it_came(sent: Message, come_in: Any) -> None:
    raw = dsn("5.1.1", returns=verp.address_of(sent.id))
    come_in(raw)
    assert Report.objects.get().raw == raw.decode()


def test_a_report_that_names_the_mail_and_whom_it_was_for_counts_without_a_signed_address(
    sent: Message, come_in: Any
) -> None:
    come_in(dsn("5.1.1", message_id=sent.message_id))
    assert state_of(sent.id).state == "bounced"


def test_mail_that_was_forwarded_counts_for_whom_it_was_sent_to(sent: Message, come_in: Any) -> None:
    forwarded = dsn("5.1.1", to="ada@elsewhere.example", returns=verp.address_of(sent.id))
    come_in(forwarded, to=verp.address_of(sent.id))
    assert state_of(sent.id).state == "bounced"
    assert [row.message.address for row in Report.objects.select_related("message") if row.message] == [sent.address]


@pytest.mark.parametrize("unknown", ["", "<no@such.example>", "<0d4ff0cc-3f0b-4d4c-9c3c-2b1f6f3f9a10@example.com>"])
def test_pr_04_a_report_that_anybody_may_have_written_silences_nobody(
    unknown: str, sent: Message, ben: Profile, come_in: Any, now: datetime
) -> None:
    come_in(dsn("5.1.1", to="ben@example.com", message_id=sent.message_id))
    come_in(dsn("5.1.1", message_id=unknown))
    applying.tick(now.replace(hour=12))
    assert _blocks() == []
    assert set(Report.objects.values_list("state", flat=True)) == {"quarantined"}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"From: a@example.com\nSubject: Hello\n\nIs this undeliverable?",
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=x\n\n"
        b"--x\nContent-Type: message/delivery-status\n\n",
        b"Content-Type: multipart/report; boundary=x\n\n--x\nContent-Type: message/feedback-report\n\n--x--",
        b"Content-Type: message/delivery-status\n\nAction\n\n:::\n\nFinal-Recipient:\nStatus: 9.9.9\n\n",
        dsn("5.1.1").replace(b"\n--BOUND", b"\n--OTHER"),
        dsn("5.1.1").replace(b"message/delivery-status", b"text/plain"),
        dsn("\xff").replace(b"utf-8", b"no-such-charset"),
    ],
)  # fmt: skip
def test_bo_08_broken_mails_break_nothing(raw: bytes, sent: Message, come_in: Any, now: datetime) -> None:
    come_in(raw, to="someone@example.com", sender="a@example.com")
    applying.tick(now.replace(hour=12))
    assert _blocks() == []
    assert not Report.objects.filter(state__in=["waiting", "applied"]).exists()


def test_em_05_an_automatic_answer_is_no_failure_and_no_answer_of_a_person(sent: Message, come_in: Any) -> None:
    answer = b"From: ada@example.com\nSubject: Out of office\nAuto-Submitted: auto-replied\n\nBack on Monday."
    assert come_in(answer, to=verp.address_of(sent.id), sender="ada@example.com")
    assert Report.objects.get().meaning == "replied"
    assert (state_of(sent.id).state, _blocks()) == ("sent", [])


# ── Reports of complaints ────────────────────────────────────────────────────────────────────────────────────────────
def test_bo_05_a_complaint_is_heard_also_where_the_address_is_blacked_out(sent: Message, come_in: Any) -> None:
    come_in(arf(message_id=sent.message_id))
    assert (state_of(sent.id).state, _blocks()) == ("complained", [("complaint", "marketing")])


@pytest.mark.parametrize("how", ["mail_from", "recipient", "to"])
def test_bo_05_a_complaint_is_heard_by_whatever_names_the_mail(how: str, sent: Message, come_in: Any) -> None:
    returns = verp.address_of(sent.id)
    named = {
        "mail_from": {"mail_from": returns},
        "recipient": {"recipient": "ada@example.com", "message_id": sent.message_id},
        "to": {"to": returns},
    }[how]
    come_in(arf(**named))
    assert state_of(sent.id).state == "complained"


@pytest.mark.parametrize(("kind", "state"), [("not-spam", "sent"), ("auth-failure", "sent"), ("fraud", "complained")])
def test_bo_05_only_a_complaint_is_one(kind: str, state: str, sent: Message, come_in: Any) -> None:
    come_in(arf(kind, message_id=sent.message_id))
    assert state_of(sent.id).state == state


def test_bo_06_to_opt_out_at_the_mailbox_provider_ends_the_topic(sent: Message, ada: Profile, come_in: Any) -> None:
    come_in(arf("opt-out", message_id=sent.message_id))
    assert list(ada.consents.filter(topic="news").values_list("state", flat=True)) == ["denied"]
    assert state_of(sent.id).state == "sent"


def test_bo_05_an_older_form_of_complaint_is_read(sent: Message, come_in: Any) -> None:
    raw = arf(message_id=sent.message_id).replace(b"Content-Type: message/feedback-report", b"Content-Type: text/plain")
    raw = raw.replace(
        b"From: hello@example.com\n", b"X-HmXmrOriginalRecipient: ada@example.com\nFrom: hello@example.com\n"
    )
    come_in(raw)
    assert state_of(sent.id).state == "complained"


def test_what_is_no_report_is_none_of_ours() -> None:
    mail = inbound.parse(b"From: ada@example.com\nSubject: Hello\n\nPlease stop writing.", to="hello@example.com")
    assert list(mails.told_by(mail)) == []
