"""What a domain lacks for its mail to be believed and taken: looked up where receivers look it up, told in sentences.

Three things decide whether mail from a domain is believed (`NEEDED`): that SPF names who may send for it, that there is
a key by which its DKIM signatures can be checked, and that DMARC says what to do with mail that is not its own. The
rest makes it better taken. Nobody's silence proves anything: what could not be asked is said to be unknown.
"""

import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from django.conf import settings

from messaging.domains import dkim_key, spf
from messaging.domains.asking import Asker, Silent, is_address

NEEDED = ("spf", "dkim", "dmarc")
USUAL_SELECTORS = (
    "default", "mail", "dkim", "cairn", "s1", "s2", "k1", "k2", "k3", "selector1", "selector2", "google", "pm",
    "smtpapi", "mandrill", "mailjet", "brevo", "mxvault", "everlytickey1", "20230601",
)  # fmt: skip
_SOON = timedelta(days=14)


class Level(StrEnum):
    FINE = "fine"
    ADVICE = "advice"
    WRONG = "wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """`key` is what was found, as `spf.missing`; `says` what that means, and `do` what to do about it."""

    key: str
    level: Level
    says: str
    do: str = ""

    @property
    def about(self) -> str:
        return self.key.partition(".")[0]

    def stored(self) -> dict[str, str]:
        return {name: str(value) for name, value in asdict(self).items()}

    @classmethod
    def read(cls, stored: dict[str, str]) -> "Finding":
        return cls(stored["key"], Level(stored["level"]), stored["says"], stored.get("do", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How mail leaves this installation, and where its links lead.

    `server` is a mail server of one's own choice, "" where a provider's API takes the mail; `tls` is "", "starttls" or
    "tls"; `returns` is the domain that bounces come back to, "" where that is the sender's; `site` is an origin.
    """

    server: str = ""
    port: int = 25
    tls: str = ""
    returns: str = ""
    site: str = ""

    @classmethod
    def ours(cls) -> "Way":
        by_smtp = settings.EMAIL_BACKEND == "django.core.mail.backends.smtp.EmailBackend"
        return cls(
            server=settings.EMAIL_HOST.lower() if by_smtp else "",
            port=settings.EMAIL_PORT,
            tls="tls" if settings.EMAIL_USE_SSL else "starttls" if settings.EMAIL_USE_TLS else "",
            returns=settings.BOUNCE_ADDRESS.rpartition("@")[2].lower() if by_smtp else "",
            site=settings.BASE_URL,
        )


Findings = Iterator[Finding]


def examine(domain: str, selectors: Sequence[str], way: Way, ask: Asker, now: datetime) -> list[Finding]:
    """All that is to be said of a domain, in the order of importance. Ends when `ask` has no more time."""
    policy = _Policy(domain, ask)
    checks: tuple[tuple[str, Callable[[], Findings]], ...] = (
        ("spf", lambda: _spf(domain, ask)),
        ("dkim", lambda: _dkim(domain, selectors, ask)),
        ("dmarc", lambda: policy.findings()),
        ("return", lambda: _return_path(domain, way, policy, ask)),
        ("server", lambda: _server(way, ask)),
        ("tls", lambda: _tls(way, ask, now)),
        ("links", lambda: _links(way, policy, ask, now)),
    )
    found: list[Finding] = []
    for about, check in checks:
        try:
            found += check()
        except Silent as silent:
            found.append(
                Finding(f"{about}.unknown", Level.UNKNOWN, f"It could not be looked up: {silent}.", "Look again later.")
            )
    return found


def verdict(findings: Sequence[Finding]) -> bool | None:
    """Whether mail from the domain is believed; None where that could not be found out."""
    needed = [one for one in findings if one.about in NEEDED]
    if any(one.level == Level.WRONG for one in needed):
        return False
    return None if any(one.level == Level.UNKNOWN for one in needed) else True


# ── SPF: who may send for it ─────────────────────────────────────────────────────────────────────────────────────────
def _spf(domain: str, ask: Asker) -> Findings:
    flaws = spf.flaws(domain, ask)
    for flaw in flaws:
        yield Finding(f"spf.{flaw.key}", Level.WRONG if flaw.breaks else Level.ADVICE, flaw.says, flaw.do)
    if not flaws:
        yield Finding("spf.fine", Level.FINE, "SPF names who may send for the domain.")


# ── DKIM: by which key its signatures are checked ────────────────────────────────────────────────────────────────────
def _dkim(domain: str, selectors: Sequence[str], ask: Asker) -> Findings:
    named = list(selectors)
    found = {one: texts for one in named or USUAL_SELECTORS if (texts := ask.texts(f"{one}._domainkey.{domain}"))}
    for selector in named:
        if selector not in found:
            yield Finding(
                "dkim.missing",
                Level.WRONG,
                f"There is no DKIM key at {selector}._domainkey.{domain}.",
                "Publish there the key that your mail server or provider signs with, as it tells you.",
            )
    if not named and not found:
        yield Finding(
            "dkim.missing",
            Level.WRONG,
            "No DKIM key was found under the usual names.",
            "Publish the key that your mail server or provider gives you; if you have, say here under which name.",
        )
    for selector, texts in found.items():
        flaw = dkim_key.flaw(texts)
        where = f"{selector}._domainkey.{domain}"
        if flaw is None:
            yield Finding("dkim.fine", Level.FINE, f"The DKIM key at {where} is good.")
        else:
            level = Level.WRONG if flaw.breaks else Level.ADVICE
            yield Finding(f"dkim.{flaw.key}", level, f"The DKIM key at {where} {flaw.says}.", flaw.do)


# ── DMARC: what to do with mail that is not its own ──────────────────────────────────────────────────────────────────
class _Policy:
    """The record that counts for a domain: its own, else that of the nearest domain above it."""

    def __init__(self, domain: str, ask: Asker) -> None:
        self._domain, self._ask = domain, ask
        self._looked: tuple[str, list[str]] | None = None

    def _look(self) -> tuple[str, list[str]]:
        """Where it stands, and what stands there."""
        if self._looked is None:
            labels = self._domain.split(".")
            self._looked = self._domain, []
            for cut in range(max(len(labels) - 1, 1)):
                name = ".".join(labels[cut:])
                texts = [one for one in self._ask.texts(f"_dmarc.{name}") if _tags(one).get("v") == "DMARC1"]
                if texts:
                    self._looked = name, texts
                    break
        return self._looked

    def is_ours(self, other: str) -> bool:
        """Whether mail that another domain answers for counts as ours (alignment)."""
        where, texts = self._look()
        if other == self._domain:
            return True
        if texts and _tags(texts[0]).get("aspf") == "s":
            return False
        return other == where or other.endswith(f".{where}") or self._domain.endswith(f".{other}")

    def findings(self) -> Findings:
        where, texts = self._look()
        if not texts:
            yield Finding(
                "dmarc.missing",
                Level.WRONG,
                "There is no DMARC record, which the large mailbox providers ask for.",
                f"Publish at _dmarc.{self._domain}, as a start: v=DMARC1; p=none; rua=mailto:you@{self._domain}",
            )
            return
        if len(texts) > 1:
            yield Finding(
                "dmarc.twice",
                Level.WRONG,
                f"There are {len(texts)} DMARC records at _dmarc.{where}, and so none counts.",
                "Keep one of them.",
            )
            return
        tags = _tags(texts[0])
        wanted = tags.get("sp", tags.get("p", "")) if where != self._domain else tags.get("p", "")
        if wanted not in ("none", "quarantine", "reject"):
            yield Finding(
                "dmarc.broken",
                Level.WRONG,
                f"The DMARC record at _dmarc.{where} does not say what to do (p=).",
                "Say p=none as a start, and p=quarantine or p=reject once all your mail passes.",
            )
        elif wanted == "none":
            yield Finding(
                "dmarc.lenient",
                Level.ADVICE,
                "DMARC asks receivers to do nothing about mail that only pretends to be yours.",
                "Once its reports show that all your mail passes, say p=quarantine or p=reject.",
            )
        else:
            yield Finding("dmarc.fine", Level.FINE, "DMARC says what to do with mail that only pretends to be yours.")


def _tags(record: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in record.split(";"))
    return {name.strip().lower(): value.strip() for name, sign, value in pairs if sign}


# ── Where mail comes back to ─────────────────────────────────────────────────────────────────────────────────────────
def _return_path(domain: str, way: Way, policy: _Policy, ask: Asker) -> Findings:
    if not way.server:
        yield Finding("return.theirs", Level.FINE, "Your mail provider takes what comes back.")
        return
    back = way.returns or domain
    if not ask.mail(back) and not ask.addresses(back):
        yield Finding(
            "return.nowhere",
            Level.WRONG,
            f"Mail comes back to {back}, and no server takes mail for it.",
            f"Publish an MX record for {back}, or set BOUNCE_ADDRESS to an address that takes mail.",
        )
    elif back != domain and any(flaw.breaks for flaw in spf.flaws(back, ask)):
        yield Finding(
            "return.unlisted",
            Level.WRONG,
            f"Mail comes back to {back}, whose SPF is missing or broken: it is that one which receivers ask.",
            f"Publish for {back} an SPF record that names your mail server.",
        )
    elif not policy.is_ours(back):
        yield Finding(
            "return.apart",
            Level.ADVICE,
            f"Mail comes back to {back}, which does not count as {domain}: SPF does nothing for DMARC, only DKIM does.",
            f"Set BOUNCE_ADDRESS to an address at {domain}, or at a domain below it.",
        )
    else:
        yield Finding("return.fine", Level.FINE, f"What comes back goes to {back}, which takes it.")


# ── The server that sends ────────────────────────────────────────────────────────────────────────────────────────────
def _server(way: Way, ask: Asker) -> Findings:
    if not way.server:
        yield Finding("server.theirs", Level.FINE, "Your mail provider's servers send.")
        return
    addresses = ask.addresses(way.server)
    if not addresses:
        yield Finding(
            "server.missing",
            Level.WRONG,
            f"The mail server {way.server} has no address in the DNS.",
            "Correct EMAIL_URL, or publish an A record.",
        )
        return
    for address in addresses:
        names = ask.names(address)
        if not names:
            yield Finding(
                "server.nameless",
                Level.WRONG,
                f"The address {address} of {way.server} has no name (PTR), which receivers mistrust.",
                "Have whoever gave you the address set its reverse name to that of the server.",
            )
        elif not any(address in ask.addresses(name) for name in names[:3]):
            yield Finding(
                "server.disowned",
                Level.WRONG,
                f"The address {address} is called {names[0]}, and that name leads elsewhere.",
                "Make the name and the address lead to each other.",
            )
        else:
            continue
        return
    yield Finding("server.fine", Level.FINE, f"{way.server} and its address name each other.")


def _tls(way: Way, ask: Asker, now: datetime) -> Findings:
    if not way.server:
        yield Finding("tls.theirs", Level.FINE, "Mail is handed to your provider under cover.")
        return
    try:
        ends = ask.certificate_ends(way.server, way.port) if way.tls == "tls" else ask.starttls(way.server, way.port)
    except ssl.SSLError as error:
        yield Finding(
            "tls.mistrusted",
            Level.WRONG,
            f"The certificate of {way.server} is not to be trusted: {_said(error)}.",
            "Renew it, and make sure that it names the server as EMAIL_URL does.",
        )
        return
    if ends is None:
        yield Finding(
            "tls.missing",
            Level.WRONG,
            f"{way.server} does not offer to speak under cover (STARTTLS): mail crosses the net for all to read.",
            "Set up a certificate there, or use another server.",
        )
    elif not way.tls:
        yield Finding(
            "tls.unused",
            Level.WRONG,
            f"{way.server} offers to speak under cover, and EMAIL_URL does not ask for it.",
            "Write smtp+tls:// in EMAIL_URL in place of smtp://.",
        )
    elif ends - now < _SOON:
        yield Finding("tls.ending", Level.ADVICE, f"The certificate of {way.server} ends on {ends:%-d %B %Y}.", _RENEW)
    else:
        yield Finding("tls.fine", Level.FINE, f"Mail is handed to {way.server} under cover.")


_RENEW = "Renew it, and have it renewed by itself from now on."


# ── Where links lead ─────────────────────────────────────────────────────────────────────────────────────────────────
def _links(way: Way, policy: _Policy, ask: Asker, now: datetime) -> Findings:
    site = urlsplit(way.site)
    host = (site.hostname or "").lower()
    if host in ("", "localhost") or is_address(host):
        yield Finding(
            "links.local",
            Level.ADVICE,
            f"Links in mails lead to {host or 'nowhere'}, which is no name that others know.",
            "Set BASE_URL to the name under which people reach this installation.",
        )
    elif not ask.addresses(host):
        yield Finding(
            "links.missing",
            Level.WRONG,
            f"Links in mails lead to {host}, which has no address in the DNS: nobody can unsubscribe.",
            "Publish a CNAME or an A record for it.",
        )
    elif site.scheme != "https":
        yield Finding(
            "links.bare",
            Level.WRONG,
            f"Links in mails lead to {host} without TLS; mailbox providers take no such link to unsubscribe.",
            "Set up a certificate, and write https:// in BASE_URL.",
        )
    else:
        yield from _certificate(host, site.port or 443, policy, ask, now)


def _certificate(host: str, port: int, policy: _Policy, ask: Asker, now: datetime) -> Findings:
    try:
        ends = ask.certificate_ends(host, port)
    except ssl.SSLError as error:
        yield Finding(
            "links.mistrusted",
            Level.WRONG,
            f"The certificate of {host}, where links in mails lead, is not to be trusted: {_said(error)}.",
            "Renew it, and make sure that it names the host.",
        )
        return
    if ends - now < _SOON:
        yield Finding("links.ending", Level.ADVICE, f"The certificate of {host} ends on {ends:%-d %B %Y}.", _RENEW)
    elif not policy.is_ours(host):
        yield Finding(
            "links.apart",
            Level.ADVICE,
            f"Links in mails lead to {host}, which is not of the domain that they come from; some filters mind that.",
            "Give this installation a name below the sender's domain.",
        )
    else:
        yield Finding("links.fine", Level.FINE, f"Links in mails lead to {host}, whose certificate is good.")


def _said(error: ssl.SSLError) -> str:
    said = getattr(error, "verify_message", "") or error.reason or str(error)
    return str(said).strip().rstrip(".")
