"""Asking the DNS and servers, for so long and no longer: silence proves nothing."""

import ipaddress
import smtplib
import socket
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

import dns.exception
import dns.name
import dns.resolver
import dns.reversename

T = TypeVar("T")

SECONDS = 12.0
"""That looking at a domain may take in all, whoever is silent."""

_PROBE = 5.0  # that one server may take


class Silent(Exception):
    """Nobody answered, or only that they cannot: nothing is known."""


class Asker:
    """Puts questions until its time is up. `servers` and `port` are for other name servers than the machine's own."""

    def __init__(
        self,
        servers: list[str] | None = None,
        port: int = 53,
        seconds: float = SECONDS,
        each: float = 3.0,
        cafile: str | None = None,
    ) -> None:
        """`seconds` are for all questions together, `each` for one to the DNS."""
        self._servers, self._port, self._each = servers, port, each
        self._ends_at = time.monotonic() + seconds
        self._known: dict[tuple[str, str], list[Any]] = {}
        self._resolver: dns.resolver.Resolver | None = None
        self._cafile = cafile

    # ── The DNS ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def texts(self, name: str) -> list[str]:
        found = self._ask(name, "TXT")
        return [b"".join(one.strings).decode("utf-8", "replace") for one in found]

    def mail(self, name: str) -> list[str]:
        """The servers that take mail for it, without those that say that none does."""
        hosts = [str(one.exchange).rstrip(".").lower() for one in self._ask(name, "MX")]
        return [host for host in hosts if host]

    def addresses(self, name: str) -> list[str]:
        if is_address(name):
            return [name]
        return [str(one.address) for kind in ("A", "AAAA") for one in self._ask(name, kind)]

    def names(self, address: str) -> list[str]:
        """What an address is called by whoever it belongs to."""
        found = self._ask(dns.reversename.from_address(address).to_text(), "PTR")
        return [str(one.target).rstrip(".").lower() for one in found]

    def _ask(self, name: str, kind: str) -> list[Any]:
        key = name.lower().rstrip("."), kind
        if key not in self._known:
            self._known[key] = self._answer(*key)
        return self._known[key]

    def _answer(self, name: str, kind: str) -> list[Any]:
        try:
            asked = dns.name.from_text(name)
        except dns.exception.DNSException:
            return []  # a name that cannot be has nothing
        try:
            return list(self._open().resolve(asked, kind, lifetime=self._left(self._each), search=False))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, OSError) as error:
            raise Silent(f"the DNS did not answer when it was asked for {name}") from error

    def _open(self) -> dns.resolver.Resolver:
        if self._resolver is None:
            self._resolver = dns.resolver.Resolver(configure=self._servers is None)
            if self._servers is not None:
                self._resolver.nameservers, self._resolver.port = list(self._servers), self._port
            self._resolver.timeout = 1.5
        return self._resolver

    def _left(self, most: float) -> float:
        left = self._ends_at - time.monotonic()
        if left <= 0.05:
            raise Silent("time was up")
        return min(left, most)

    # ── Servers ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def certificate_ends(self, host: str, port: int) -> datetime:
        """Until when the certificate is good that a server shows; `ssl.SSLError` if it is not trusted."""

        def look(address: str) -> datetime:
            with (
                socket.create_connection((address, port), timeout=self._left(_PROBE)) as line,
                self._trust().wrap_socket(line, server_hostname=host) as safe,
            ):
                return _end_of(safe)

        return self._first(host, look)

    def starttls(self, host: str, port: int) -> datetime | None:
        """The same of a mail server that begins in the open; None if it does not offer to speak under cover."""

        def look(address: str) -> datetime | None:
            with smtplib.SMTP(timeout=self._left(_PROBE)) as talk:
                talk.connect(address, port)
                talk.ehlo()
                if not talk.has_extn("starttls"):
                    return None
                talk._host = host  # type: ignore[attr-defined]  # whom the certificate must name
                talk.starttls(context=self._trust())
                return _end_of(cast(ssl.SSLSocket, talk.sock))

        return self._first(host, look)

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._cafile)

    def _first(self, host: str, look: Callable[[str], T]) -> T:
        """What the first address of a host says that says anything."""
        for address in self.addresses(host)[:3]:
            try:
                return look(address)
            except ssl.SSLError:
                raise
            except (OSError, smtplib.SMTPException):
                continue
        raise Silent(f"{host} could not be reached")


def is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _end_of(safe: ssl.SSLSocket) -> datetime:
    told: Any = safe.getpeercert()
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(told["notAfter"])), UTC)
