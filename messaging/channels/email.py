"""Mail, through whatever backend Django is set to: SMTP, a folder, the console, or a provider's API."""

import contextlib
import re
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from email.policy import Compat32
from email.utils import parseaddr
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.message import BadHeaderError
from django.core.validators import validate_email

from consent import links
from messaging import providers, smtp
from messaging.delivery import (
    CHANNELS,
    About,
    Accepted,
    Channel,
    Envelope,
    Form,
    InDoubt,
    Later,
    Letter,
    Line,
    Outcome,
    Returned,
    Unreachable,
)
from messaging.returns import verp
from profiles.models import Profile

_LINE = 75  # letters, with a colon and a space between, that are never folded
_ENHANCED = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_NO_SUCH_ADDRESS = {"1.1", "1.2", "1.3", "1.6", "1.10", "2.1"}
_UNKNOWN_USER = re.compile(
    r"no such|unknown (user|recipient|mailbox|address)|(user|recipient|mailbox|address)[\w\s]{0,20}"
    r"(unknown|not found|does ?n.t exist|does not exist|invalid)|no mailbox|invalid (recipient|mailbox)",
    re.IGNORECASE,
)

# What the other side holds against us as a sender and not against the message or the address (BO-03).
_AGAINST_US = re.compile(r"7\.\d+|4\.\d+|3\.2")
# Domains of the large mailbox providers that are taken in by the servers of another of theirs.
_SAME_DOOR = {
    domain: door
    for door, domains in {
        "gmail.com": ("googlemail.com",),
        "outlook.com": ("hotmail.com", "hotmail.co.uk", "hotmail.de", "hotmail.fr", "live.com", "msn.com"),
        "yahoo.com": ("yahoo.co.uk", "yahoo.de", "yahoo.es", "yahoo.fr", "ymail.com", "aol.com"),
        "icloud.com": ("me.com", "mac.com"),
        "gmx.net": ("gmx.de", "gmx.at", "gmx.ch", "web.de"),
    }.items()
    for domain in domains
}


@CHANNELS.register
class Email(Channel):
    key = "email"
    label = "email"
    about = "Mail, through the server or provider that the operator named (EMAIL_URL)."
    icon = "mail"
    form = Form(framed=True)
    test_to = "An email address"

    def address(self, profile: Profile) -> str:
        return (profile.email or "").strip()

    def takes(self, address: str) -> bool:
        if len(address) > 254 or parseaddr(address)[1] != address:
            return False
        try:
            validate_email(address)
        except ValidationError:
            return False
        return True

    def place(self, address: str) -> str:
        """The provider behind the address: several domains of one have one door."""
        domain = address.rpartition("@")[2].lower().strip(".")
        return _SAME_DOOR.get(domain, domain)[:255]

    def headers(self, envelope: Envelope) -> dict[str, str]:
        """Asks out-of-office programs for silence; and on all but transactional mail, says how to get no more."""
        headers = {
            "Auto-Submitted": "auto-generated",
            "X-Auto-Response-Suppress": "OOF, AutoReply",
            "Feedback-ID": _feedback_id(envelope),
        }
        if envelope.transactional:
            return headers
        return headers | {
            "List-Id": f"<{envelope.topic}.{envelope.domain}>",
            "List-Unsubscribe": links.list_unsubscribe(envelope.unsubscribe),
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "Precedence": "bulk",
        }

    @contextmanager
    def line(self) -> Iterator[Line]:
        line = _EmailLine()
        line.open()
        try:
            yield line
        finally:
            line.close()


class _EmailLine(Line):
    """One connection, kept from mail to mail and opened anew where it broke."""

    def __init__(self) -> None:
        plain = settings.EMAIL_BACKEND == "django.core.mail.backends.smtp.EmailBackend"
        self._backend: Any = get_connection("messaging.smtp.EmailBackend" if plain else None)

    def open(self) -> None:
        try:
            self._backend.open()
        except smtplib.SMTPAuthenticationError as error:
            raise Unreachable(f"The mail server did not accept our name and password ({_said(error)}).") from error
        except (OSError, smtplib.SMTPException) as error:
            raise Unreachable(f"The mail server could not be reached ({_said(error)}).") from error

    def close(self) -> None:
        # What was sent is sent: a server that does not say goodbye changes nothing.
        with contextlib.suppress(OSError, smtplib.SMTPException):
            self._backend.close()
        if isinstance(self._backend, smtp.EmailBackend):
            self._backend.connection = None

    def send(self, letter: Letter) -> Outcome:
        try:
            mail = mail_of(letter, self._backend)
            mail.message()  # a mail that cannot be built must not be mistaken for one that was handed over
        except (BadHeaderError, UnicodeError, ValueError) as error:
            return Returned(f"The mail could not be built: {error}")
        try:
            self.open()
        except Unreachable as error:
            return Later(str(error), About.CHANNEL)
        try:
            self._backend.send_messages([mail])
        except smtplib.SMTPRecipientsRefused as error:
            code, reply = next(iter(error.recipients.values()))
            return self._answered(code, reply, about_address=True)
        except smtplib.SMTPResponseException as error:
            return self._answered(error.smtp_code, error.smtp_error, about_address=False)
        except Exception as error:
            return providers.outcome_of(error) or self._cut(error)
        return Accepted(str(getattr(getattr(mail, "anymail_status", None), "message_id", None) or ""))

    def _answered(self, code: int, reply: Any, *, about_address: bool) -> Outcome:
        """The server said no, so it was not taken: the code says whether it ever will be."""
        text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else str(reply)
        if code == 421 or code < 0:
            self.close()
        said = f"The mail server answered {code} {text.strip()[:300]}".strip()
        enhanced = _ENHANCED.search(text)
        against_us = code == 421 or (enhanced and _AGAINST_US.fullmatch(f"{enhanced[2]}.{enhanced[3]}"))
        about = About.PLACE if against_us else About.MESSAGE
        if 400 <= code < 500 or (enhanced and enhanced[1] == "4"):
            return Later(said, about)
        if code < 400:
            self.close()
            return Later(said)
        gone = f"{enhanced[2]}.{enhanced[3]}" in _NO_SUCH_ADDRESS if enhanced else bool(_UNKNOWN_USER.search(text))
        return Returned(said, gone=gone and about_address, about=about)

    def _cut(self, error: Exception) -> Outcome:
        """No answer came. Where we know how far the talk had got, that decides; else nobody knows."""
        knows = isinstance(self._backend, smtp.EmailBackend)
        sure = knows and not self._backend.in_doubt and isinstance(error, OSError | smtplib.SMTPException)
        self.close()
        if sure:
            said = f"The line to the mail server broke before the mail was handed over ({_said(error)})."
            return Later(said, About.CHANNEL)
        return InDoubt(f"The mail was handed over and no answer came ({_said(error)}).")


class _Unfolded(Compat32):
    """Leaves the address for unsubscribing on one line: not every reader unfolds it (RFC 8058 asks for it whole).

    What is short and plain is a line as it is: looking for where to fold it would take longer than all else.
    """

    def fold_binary(self, name: str, value: str) -> bytes:
        plain = type(value) is str and len(name) + len(value) < _LINE and value.isascii() and value.isprintable()
        if name == "List-Unsubscribe" or plain:
            return f"{name}: {value}{self.linesep}".encode("ascii")
        return super().fold_binary(name, value)


_POLICY = _Unfolded()


class _Mail(EmailMultiAlternatives):
    """Built once, however often it is asked for."""

    metadata: dict[str, str]
    _built: Any = None

    def message(self, **_: Any) -> Any:
        if self._built is None:
            self._built = super().message()
            self._built.policy = _POLICY
            if self._built.is_multipart():
                # Else one is drawn, and all that is said is searched for it.
                self._built.set_boundary(f"=_{uuid4().hex}")
        return self._built


def mail_of(letter: Letter, backend: Any = None) -> EmailMultiAlternatives:
    """The mail: text first and HTML last, so that a reader takes the best it can show."""
    headers = {"Message-ID": letter.message_id, **letter.headers}
    # What comes back over SMTP comes to an address of this message's own; a provider has ways of its own to say so.
    returns = verp.address_of(letter.id) if isinstance(backend, smtp.EmailBackend) else ""
    mail = _Mail(
        subject=letter.subject,
        body=letter.text,
        from_email=returns or letter.sender,
        to=[letter.address],
        headers=headers | {"From": letter.sender} if returns else headers,
        connection=backend,
    )
    mail.metadata = {"message": str(letter.id)}  # by which a provider's reports name it (Anymail)
    mail.attach_alternative(letter.html, "text/html")
    return mail


def _feedback_id(envelope: Envelope) -> str:
    """`campaign:stream:sender`, by which mailbox providers tell our mailings apart: no id twice, none of a person."""
    sender = re.sub(r"[^a-z0-9]", "", envelope.domain.lower())[:15].ljust(5, "0")
    return f"c-{envelope.campaign[:60]}:s-{envelope.topic[:60]}:{sender}"


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]
