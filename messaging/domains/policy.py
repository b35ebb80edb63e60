"""From which domains mail may come (EM-08): those that are verified, and never those at which anybody has a mailbox.

Where mail leaves for the net, journeys and broadcasts that send mail, and the brand's address, wait for a verified
domain. Where it goes into a folder, to the console, or to a server on this machine, nothing leaves, and nothing waits.
"""

from email.utils import parseaddr

from django.conf import settings
from django.core import checks

from foundation.errors import Conflict
from messaging.domains import freemail
from messaging.domains.models import SenderDomain
from messaging.models import Brand

_AT_HOME = {"localhost", "127.0.0.1", "::1"}


def applies() -> bool:
    """Whether a domain must be verified: as SENDER_DOMAINS says, else where mail leaves this machine."""
    if settings.SENDER_DOMAINS:
        return bool(settings.SENDER_DOMAINS == "verified")
    backend = settings.EMAIL_BACKEND
    if backend == "django.core.mail.backends.smtp.EmailBackend":
        return settings.EMAIL_HOST.lower() not in _AT_HOME
    return backend.startswith("anymail.backends.") and not backend.startswith("anymail.backends.test.")


def flaw(address: str) -> str:
    """Why no mail may come from this address, as "must …" or "is …"; "" if it may."""
    domain = domain_of(address)
    if domain in freemail.DOMAINS:
        return (
            f"is at {domain}, where anybody has a mailbox: mailbox providers turn away mail that says it comes from"
            " there and does not. Use an address at a domain of your own."
        )
    if not applies():
        return ""
    row = SenderDomain.objects.filter(name=domain).first()
    if row is None or row.status == SenderDomain.Status.NEW:
        return f"is at {domain}, which is not verified. Add it under Sender domains, and have it looked at."
    if row.status == SenderDomain.Status.FAILED:
        return f"is at {domain}, which is not in order. Sender domains says what it lacks."
    return ""


def lack() -> str:
    """Why no mail may be begun with, from the brand's address as it is now, in a sentence; "" if it may."""
    brand = Brand.objects.filter(pk=1).exclude(sender_address="").values_list("sender_address", flat=True).first()
    address = brand or parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    found = flaw(address)
    return f"The sender's address {address} {found}" if found else ""


def check() -> None:
    """`Conflict` where no mail may be begun with."""
    if found := lack():
        raise Conflict(found)


def domain_of(address: str) -> str:
    domain = address.rpartition("@")[2].strip().rstrip(".").lower()
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return domain


@checks.register(checks.Tags.security)
def sender_is_no_freemail(app_configs: object, **_: object) -> list[checks.CheckMessage]:
    domain = domain_of(settings.DEFAULT_FROM_EMAIL.rstrip("> "))
    if domain not in freemail.DOMAINS:
        return []
    return [
        checks.Warning(
            f"DEFAULT_FROM_EMAIL is at {domain}, where anybody has a mailbox; mail from there is turned away.",
            hint="Set it to an address at a domain of your own.",
            id="messaging.W002",
        )
    ]
