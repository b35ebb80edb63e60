"""Mail that comes in: parsed once and within bounds, then shown to whoever can read such mail.

    mail = inbound.parse(raw, to="bounces+…@mail.example.com", sender="")
    said = inbound.receive(mail, now=now)

The door (a command that a mail server calls, or a mailbox that is read) makes an `Inbound` of the raw bytes and calls
`receive`. Apps join the question: each looks whether the mail is one of its kind, does what is to be done, and says so
in a sentence; it answers "" to what is none of its business. Consent reads requests to unsubscribe, messaging reads
what came back and complaints.

    @registry.inbound.join
    def read(mail: Inbound, now: datetime) -> str: ...

Everything in it was written by strangers. A reader acts on nothing that is not proven (a signed address, an id that
only the receiver of a mail can know), never answers a mail, and may be shown the same mail twice: `digest` tells.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.message import EmailMessage, Message
from email.parser import BytesParser
from email.utils import getaddresses

from foundation import registry
from foundation.errors import Invalid

MOST_BYTES = 10_000_000
_MOST_READ = 1_000_000
"""What of a large mail is parsed: what reports and requests say stands at the beginning."""
_MOST_PARTS, _DEEPEST = 100, 10
_LONGEST_HEADER = 10_000
"""Characters of a header that are looked at: what reads headers needs the square of their length."""


class _Cut(policy.Compat32):
    """It takes whatever comes and raises nothing; headers are decoded where they are read."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:_LONGEST_HEADER]


_PARSER = BytesParser(policy=_Cut())


@dataclass(frozen=True, slots=True)
class Inbound:
    """A mail that came in. `to` and `sender` are of the envelope, "" where nobody said; reports have no `sender`."""

    raw: bytes
    mail: Message
    to: str
    sender: str

    @property
    def digest(self) -> str:
        """The same for the same mail to the same address, however often it is delivered."""
        return hashlib.sha256(self.to.lower().encode("utf-8", "surrogateescape") + b"\n" + self.raw).hexdigest()

    def header(self, name: str) -> str:
        """The header's text, on one line and decoded as far as that goes; "" where there is none."""
        return header(self.mail, name)

    @property
    def parts(self) -> list[Message]:
        """The parts that hold something, in order; no more of them than anybody needs."""
        return _parts(self.mail)

    @property
    def is_automatic(self) -> bool:
        """Whether a program wrote it (RFC 3834): then nobody asked for anything by it."""
        written = self.header("Auto-Submitted").split(";")[0].strip().lower()
        return (written not in ("", "no")) or self.header("Precedence").strip().lower() in ("bulk", "list", "junk")


def parse(raw: bytes, *, to: str = "", sender: str = "") -> Inbound:
    """The mail of these bytes. `Invalid` where it is larger than any mail that we wait for; all else is parsed."""
    if len(raw) > MOST_BYTES:
        raise Invalid.at("", f"This mail is larger than {MOST_BYTES:,} bytes; it was not read.")
    try:
        mail = _PARSER.parsebytes(raw[:_MOST_READ])
    except (RecursionError, ValueError, LookupError):
        mail = Message()  # nobody writes such a mail but to see what happens
        mail.set_payload("")
    return Inbound(raw, mail, _plain(to), _plain(sender))


def receive(mail: Inbound, *, now: datetime) -> list[str]:
    """Shows the mail to all who read mail, in the caller's transaction; what they did, a sentence each."""
    return [said for said in registry.inbound.ask(mail, now) if said]


def header(part: Message, name: str) -> str:
    """As `Inbound.header`, of any part."""
    found = str(part.get(name, ""))[:_LONGEST_HEADER]
    if not found:
        return ""
    try:
        made = EmailMessage(policy=policy.default)
        made[name if name.lower() == "subject" else "X-Any"] = "".join(found.splitlines())
        text = str(made[name if name.lower() == "subject" else "X-Any"])
    except (ValueError, LookupError, AttributeError, IndexError, TypeError):
        text = found
    return " ".join(storable(text).split())


def text_of(part: Message, most: int = 100_000) -> str:
    """What a part says, decoded as well as it can be."""
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        content = str(part.get_payload() or "").encode("utf-8", "surrogateescape")
    try:
        said = content[:most].decode(part.get_content_charset() or "utf-8", "replace")
    except (LookupError, ValueError):  # no charset, or one that decodes no text at all
        said = content[:most].decode("utf-8", "replace")
    return storable(said)


def addresses(*headers: str) -> list[str]:
    """The addresses in such headers as `To`, without the names; none where brackets are too deep to be meant."""
    try:
        return [address for _name, address in getaddresses(list(headers)) if address]
    except RecursionError:
        return []


def storable(text: str) -> str:
    """The text without what no database keeps: NUL, and the halves of letters, which become question marks."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _parts(mail: Message) -> list[Message]:
    found: list[Message] = []
    todo: list[tuple[Message, int]] = [(mail, 0)]
    while todo and len(found) < _MOST_PARTS:
        part, depth = todo.pop(0)
        inner = part.get_payload() if part.is_multipart() else None
        # A report is made of blocks of headers, which the parser takes for mails in it: such a part is one thing.
        if isinstance(inner, list) and part.get_content_maintype() == "multipart" and depth < _DEEPEST:
            todo[:0] = [(one, depth + 1) for one in inner if isinstance(one, Message)]
        else:
            found.append(part)
    return found


def _plain(address: str) -> str:
    return storable(address.strip().strip("<>"))[:320]
