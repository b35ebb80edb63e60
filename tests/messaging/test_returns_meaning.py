"""What reports mean: codes first, then what the provider calls it, words last."""

from typing import Any

import pytest

from messaging.returns import meaning
from messaging.returns.models import Meaning

HARD, FULL, SENDER, CONTENT, UNKNOWN = (
    Meaning.NO_ADDRESS, Meaning.FULL, Meaning.SENDER, Meaning.CONTENT, Meaning.UNKNOWN
)  # fmt: skip

# (status, what the server said, what it means), as servers of these kinds write it.
SAID: list[tuple[str, str, Meaning]] = [
    # Postfix
    ("5.1.1", "550 5.1.1 <x@example.com>: Recipient address rejected: User unknown in local recipient table", HARD),
    ("5.1.1", "550 5.1.1 <x@example.com>: Recipient address rejected: User unknown in virtual mailbox table", HARD),
    ("5.0.0", "550 5.1.0 Address rejected", UNKNOWN),
    (
        "5.4.4",
        "Host or domain name not found. Name service error for name=example.invalid type=A: Host not found",
        SENDER,
    ),
    ("4.4.1", "connect to mx.example.com[192.0.2.1]:25: Connection timed out", FULL),
    ("4.4.7", "delivery temporarily suspended: conversation timed out", FULL),
    ("5.2.2", "552 5.2.2 The email account that you tried to reach is over quota", FULL),
    ("5.3.4", "552 5.3.4 Message size exceeds fixed limit", CONTENT),
    # Gmail
    ("5.1.1", "550-5.1.1 The email account that you tried to reach does not exist. Please try double-checking", HARD),
    ("5.2.1", "550 5.2.1 The email account that you tried to reach is inactive", HARD),
    ("4.2.2", "452 4.2.2 The recipient's inbox is out of storage space", FULL),
    ("5.7.26", "550-5.7.26 This mail has been blocked because the sender is unauthenticated", SENDER),
    ("4.7.28", "421-4.7.28 Gmail has detected an unusual rate of unsolicited mail", SENDER),
    ("5.7.1", "550-5.7.1 This message does not meet IPv6 sending guidelines regarding PTR records", SENDER),
    ("4.7.0", "421-4.7.0 This message has been rate limited", SENDER),
    ("", "550 5.1.1 https://support.google.com/mail/?p=NoSuchUser - gsmtp", HARD),
    # Exchange and Microsoft
    ("5.1.10", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", HARD),
    ("5.1.1", "550 5.1.1 RESOLVER.ADR.ExRecipNotFound; not found", HARD),
    ("5.2.2", "554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException", FULL),
    ("5.2.3", "550 5.2.3 RESOLVER.RST.SendSizeLimit; message too large for this sender", CONTENT),
    ("5.7.515", "550 5.7.515 Access denied, sending domain does not meet the required authentication level", SENDER),
    ("5.7.1", "550 5.7.1 Service unavailable, Client host [192.0.2.7] blocked using Spamhaus", SENDER),
    ("5.7.606", "550 5.7.606 Access denied, banned sending IP [192.0.2.7]", SENDER),
    ("5.4.1", "550 5.4.1 Recipient address rejected: Access denied", SENDER),
    ("5.4.14", "554 5.4.14 Hop count exceeded - possible mail loop ATTR34", SENDER),
    ("4.4.316", "451 4.4.316 Connection refused", FULL),
    ("5.6.0", "550 5.6.0 CAT.InvalidContent.Exception", CONTENT),
    ("5.1.3", "501 5.1.3 Invalid address", HARD),
    ("5.1.8", "501 5.1.8 Access denied, bad outbound sender", SENDER),
    ("4.7.500", "451 4.7.500 Server busy. Please try again later", SENDER),
    # Exim
    ("5.0.0", "550 Unrouteable address", HARD),
    ("5.0.0", "550 No Such User Here", HARD),
    ("", "550 Administrative prohibition: rejected by policy", SENDER),
    ("5.0.0", "retry timeout exceeded", FULL),
    ("5.0.0", "552 message size limit exceeded", CONTENT),
    ("5.0.0", "550 relay not permitted", SENDER),
    # Yahoo, AOL, iCloud, GMX, web.de, mail.ru, QQ
    ("5.0.0", "554 delivery error: dd This user doesn't have a yahoo.com account", HARD),
    ("5.0.0", "554 delivery error: dd Requested mail action aborted, mailbox not found", HARD),
    ("", "552 1 Requested mail action aborted, mailbox quota exceeded", FULL),
    ("4.7.0", "421 4.7.0 [TSS04] Messages from 192.0.2.7 temporarily deferred due to user complaints", SENDER),
    ("5.7.9", "554 5.7.9 Message not accepted for policy reasons", SENDER),
    ("5.1.6", "550 5.1.6 recipient no longer on server", HARD),
    ("5.1.1", "550 5.1.1 unknown or illegal alias: x@icloud.com", HARD),
    ("", "550 Requested action not taken: mailbox unavailable", HARD),
    ("5.0.0", "554 Transaction failed, Reject due to policy restrictions", SENDER),
    ("", "550 spam message rejected. Please visit http://help.mail.ru/notspam-support", SENDER),
    ("", "550 Mailbox not found or access denied", SENDER),
    # Codes that disagree: what says more wins
    ("4.2.2", "550 mailbox is full", FULL),
    ("5.0.0", "550 4.2.2 quota", FULL),
    ("4.2.2", "550 5.1.1 user unknown", FULL),
    ("5.7.1", "550 user unknown", SENDER),
    ("5.1.1", "550 blocked", HARD),
    ("5.01.01", "550 nothing", HARD),
    ("", "421 service not available", SENDER),
    ("", "451 greylisted, please come back", SENDER),
    ("", "450 mailbox busy", FULL),
    ("", "452 too many recipients", SENDER),
    ("", "554 nothing more to say", SENDER),
    ("", "550 nothing more to say", UNKNOWN),
    ("", "", UNKNOWN),
    ("x.y.z", "\x00\xff broken", UNKNOWN),
    # Other languages
    ("5.0.0", "550 Empfänger existiert nicht", HARD),
    ("5.0.0", "550 unbekannter Benutzer", HARD),
    ("5.0.0", "552 Das Postfach ist voll", FULL),
    ("5.0.0", "550 Utilisateur inconnu", HARD),
    ("5.0.0", "552 La boîte aux lettres est pleine", FULL),
    ("5.0.0", "550 El usuario no existe", HARD),
    ("5.0.0", "552 El buzón del usuario está lleno", FULL),
    ("5.0.0", "550 utente sconosciuto", HARD),
    ("5.0.0", "550 用户不存在", HARD),
    ("5.0.0", "550 Пользователь не существует", HARD),
    ("5.0.0", "550 宛先は存在しません", HARD),
    ("5.0.0", "550 この利用者は…", UNKNOWN),
]


@pytest.mark.parametrize(("status", "said", "means"), SAID)
def test_bo_01_to_bo_04_and_bo_08_what_a_server_says_means(status: str, said: str, means: Meaning) -> None:
    assert meaning.of("failed", status=status, said=said) is means
    # What is only put off is never final, and never blocks an address at once.
    assert meaning.of("delayed", status=status, said=said) in (Meaning.DELAYED, Meaning.SLOWED)


@pytest.mark.parametrize(
    ("told", "means"),
    [
        ({"kind": "bounced", "reason": "invalid"}, HARD),
        ({"kind": "bounced", "reason": "bounced"}, HARD),
        ({"kind": "bounced", "reason": "timed_out"}, FULL),
        ({"kind": "bounced", "reason": "blocked"}, SENDER),
        ({"kind": "bounced", "reason": "spam"}, SENDER),
        ({"kind": "bounced", "reason": "bounced", "said": "550 5.7.1 blocked"}, SENDER),
        ({"kind": "bounced", "reason": "bounced", "said": "552 5.2.2 full"}, FULL),
        ({"kind": "bounced", "reason": "other"}, UNKNOWN),
        ({"kind": "rejected", "reason": "bounced"}, Meaning.LISTED),
        ({"kind": "rejected", "reason": "spam"}, Meaning.LISTED),
        ({"kind": "rejected", "reason": "other"}, CONTENT),
        ({"kind": "rejected", "reason": "invalid"}, HARD),
        ({"kind": "failed"}, UNKNOWN),
        ({"kind": "deferred"}, Meaning.DELAYED),
        ({"kind": "queued"}, Meaning.NOTHING),
        ({"kind": "subscribed"}, Meaning.NOTHING),
        ({"kind": "not-spam"}, Meaning.NOTHING),
        ({"kind": "autoresponded"}, Meaning.REPLIED),
        ({"kind": "complained"}, Meaning.COMPLAINED),
        ({"kind": "something new"}, UNKNOWN),
    ],
)
def test_bo_01_to_bo_08_what_a_provider_calls_it_means(told: dict[str, Any], means: Meaning) -> None:
    assert meaning.of(**told) is means
