"""Mails that tell what became of mails: reports of delivery (RFC 3464), of complaints (RFC 5965).

Everything in them was written by strangers. A report counts for a message where it came to the address that we signed
for it, or names the Message-ID that only its receiver knows, and the address that we wrote to.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from email.message import Message as Part
from email.parser import HeaderParser
from email.utils import parsedate_to_datetime
from uuid import UUID

from foundation import inbound, registry
from foundation.inbound import Inbound
from messaging.returns import reports, verp
from messaging.returns.reports import Told

_OURS = re.compile(r"<?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})@", re.IGNORECASE)
_WHERE = ("X-Original-To", "Delivered-To", "Envelope-To", "To")
_ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w-]+(?:\.[\w-]+)+")
_FAILED = re.compile(
    r"undeliver|deliver(?:y|ed)[\w\s]{0,20}(?:fail|problem|status)|returned (?:mail|to sender)|failure notice"
    r"|mail delivery"
    r"|could not (?:be )?deliver|unzustellbar|nicht zugestellt|non remis|no se pudo entregar|mancato recapito",
    re.IGNORECASE,
)
_COMPLAINTS = {"abuse", "fraud"}
_HEADERS = HeaderParser()


@registry.inbound.join
def read(mail: Inbound, now: datetime) -> str:
    """Keeps what the mail tells of messages of ours; to be acted on by a loop, as what providers tell."""
    told = list(told_by(mail))
    if not told:
        return ""
    kept = reports.keep(told, now=now)
    return f"It reports on {len(told)} of our messages." if kept else "It had been read before."


def told_by(mail: Inbound) -> Iterator[Told]:
    """What a mail tells of our messages: nothing, where it is no report."""
    named = _named(mail)
    feedback = next((part for part in mail.parts if part.get_content_type() == "message/feedback-report"), None)
    status = [part for part in mail.parts if part.get_content_type().startswith("message/") and _is_status(part)]
    if feedback is not None:
        yield _feedback(mail, feedback, named)
    elif complained := inbound.header(_original(mail), "X-HmXmrOriginalRecipient"):
        yield _base(mail, named, source="arf", kind="complained", recipient=_address(complained))
    elif status:
        for part in status:
            yield from _statuses(mail, part, named)
    elif named is not None and _is_failure(mail):
        yield _plain_failure(mail, named)
    elif named is not None and mail.is_automatic:
        yield _base(mail, named, source="mail", kind="autoresponded")


# ── Which message it is about ────────────────────────────────────────────────────────────────────────────────────────
def _named(mail: Inbound) -> UUID | None:
    """The message whose signed address it came to, as the envelope or its headers say."""
    addresses = [mail.to]
    for name in _WHERE:
        addresses += _ADDRESS.findall(mail.header(name))
    return next((found for address in addresses if (found := verp.message_of(address))), None)


def _original(mail: Inbound) -> Part:
    """The headers of the mail that it is about, as far as it holds them."""
    for part in mail.parts:
        kind = part.get_content_type()
        if kind in ("message/rfc822", "message/global") and isinstance(inner := part.get_payload(), list) and inner:
            return inner[0] if isinstance(inner[0], Part) else Part()
        if kind in ("text/rfc822-headers", "message/rfc822-headers", "message/global-headers", "message/rfc822"):
            return _HEADERS.parsestr(inbound.text_of(part))
    return Part()


def _base(mail: Inbound, named: UUID | None, **more: object) -> Told:
    original = _original(mail)
    header_id = inbound.header(original, "Message-ID")
    ours = _OURS.search(header_id)
    returns = named or verp.message_of(_address(inbound.header(original, "Return-Path")))
    fields: dict[str, object] = {
        "named": returns or (UUID(ours[1]) if ours else None),
        "proven": returns is not None,
        "header_id": header_id,
        "event_id": mail.digest,
        "at": _moment(mail.header("Date")),
        "raw": mail.raw[:20_000].decode("utf-8", "replace"),
        **more,
    }
    return Told(**fields)  # type: ignore[arg-type]


# ── Reports of delivery ──────────────────────────────────────────────────────────────────────────────────────────────
def _is_status(part: Part) -> bool:
    kind = part.get_content_type()
    return kind in ("message/delivery-status", "message/global-delivery-status") or any(
        block.get("Final-Recipient") or block.get("Action") for block in _blocks(part)
    )


def _blocks(part: Part) -> list[Part]:
    """The blocks of headers that a report is made of; also where it was not taken for one."""
    payload = part.get_payload()
    if isinstance(payload, list):
        blocks = [block for block in payload if isinstance(block, Part)]
        if len(blocks) > 1:
            return blocks
        payload = blocks[0].as_string() if blocks else ""
    text = payload if isinstance(payload, str) else inbound.text_of(part)
    return [_HEADERS.parsestr(block) for block in re.split(r"\r?\n[ \t]*\r?\n", text) if block.strip()]


def _statuses(mail: Inbound, part: Part, named: UUID | None) -> Iterator[Told]:
    found = [block for block in _blocks(part) if block.get("Action") or block.get("Final-Recipient")]
    for block in found[:50]:
        status = inbound.header(block, "Status")
        said = re.sub(
            r"^\s*(?:smtp|x-[\w-]+)\s*;\s*", "", inbound.header(block, "Diagnostic-Code"), flags=re.IGNORECASE
        )
        action = inbound.header(block, "Action").split(" ")[0].lower()
        if action not in ("failed", "delayed", "delivered", "relayed", "expanded"):
            action = "failed" if status[:1] in ("4", "5") else "delivered" if status[:1] == "2" else "unknown"
        yield _base(
            mail,
            named,
            source="dsn",
            kind=action,
            status=status,
            said=said or _words_of(mail) if action == "failed" else said,
            recipient=_recipient(block),
        )


def _recipient(block: Part) -> str:
    """As we wrote it, where the report says so: a mailbox may forward to another."""
    for name in ("Original-Recipient", "Final-Recipient", "X-Actual-Recipient"):
        if found := _ADDRESS.search(inbound.header(block, name).partition(";")[2] or inbound.header(block, name)):
            return found[0]
    return ""


def _is_failure(mail: Inbound) -> bool:
    """Whether a mail without a report is one all the same, as old servers write it."""
    who = _address(mail.header("From")).lower()
    from_a_server = (
        not mail.sender or who.startswith(("mailer-daemon", "postmaster")) or bool(mail.header("X-Failed-Recipients"))
    )
    return from_a_server and bool(_FAILED.search(f"{mail.header('Subject')} {_words_of(mail)[:500]}"))


def _plain_failure(mail: Inbound, named: UUID) -> Told:
    recipient = _ADDRESS.search(mail.header("X-Failed-Recipients"))
    words = _words_of(mail)
    kind = (
        "delayed"
        if re.search(r"delayed|warning|still (?:trying|being)", mail.header("Subject"), re.IGNORECASE)
        else "failed"
    )
    return _base(mail, named, source="dsn", kind=kind, said=words, recipient=recipient[0] if recipient else "")


def _words_of(mail: Inbound) -> str:
    """What the mail says for people, up to where the mail that it is about begins."""
    text = next((inbound.text_of(part) for part in mail.parts if part.get_content_type() == "text/plain"), "")
    if not text and mail.parts:
        text = re.sub(r"<[^>]{0,500}>", " ", inbound.text_of(mail.parts[0]))
    ends = re.search(r"-{3,}[^\n]{0,60}(?:copy of|original|below this line)[^\n]*", text, re.IGNORECASE)
    return " ".join(text[: ends.start() if ends else 2_000].split())[:1_500]


# ── Reports of complaints ────────────────────────────────────────────────────────────────────────────────────────────
def _feedback(mail: Inbound, part: Part, named: UUID | None) -> Told:
    block = next(iter(_blocks(part)), Part())
    said = inbound.header(block, "Feedback-Type").lower()
    kind = "complained" if said in _COMPLAINTS else "unsubscribed" if said.startswith("opt-out") else "not-spam"
    mail_from = verp.message_of(_address(inbound.header(block, "Original-Mail-From")))
    recipients = _ADDRESS.findall(
        inbound.header(block, "Original-Rcpt-To") or inbound.header(block, "Removal-Recipient")
    )
    return _base(
        mail,
        named or mail_from,
        source="arf",
        kind=kind,
        said=said,
        recipient=recipients[0] if recipients and "redacted" not in recipients[0].lower() else "",
        at=_moment(inbound.header(block, "Arrival-Date")) or _moment(mail.header("Date")),
    )


def _moment(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return found if found.tzinfo else None


def _address(header: str) -> str:
    return next(iter(inbound.addresses(header)), "")
