"""Which places on the net a program of ours may call: public ones alone, judged by the addresses that names lead to.

A name is resolved once, every address is judged, and the connection goes to an address that was judged: a name that
leads elsewhere a moment later (rebinding) leads nowhere here.
"""

import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import quote, urlsplit

from django.conf import settings

Resolve = Callable[[str, int], Sequence[str]]
"""The addresses of a host, given with a port; raises `OSError` where there are none."""

LONGEST = 2_000
_PORTS = {"https": 443, "http": 80}

# What `is_global` calls public and is not, or leads to what is not: ways into IPv4, relays, tests, local nets of old.
_NEVER = [
    ip_network(net)
    for net in (
        "0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4",
        "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
        "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    )
]  # fmt: skip


class Unfit(Exception):
    """A place that must not be called, or none at all; `str()` is the sentence for people."""


@dataclass(frozen=True, slots=True)
class Place:
    """An address as it was written, taken apart."""

    scheme: str
    host: str
    port: int
    target: str
    """Path and query, as they go over the wire."""
    trusted: bool
    """Whether the operator named it in OUTGOING_HOSTS: it may be inside, and without TLS."""

    @property
    def authority(self) -> str:
        """What the header `Host` says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def read(url: object) -> Place:
    """Takes an address apart. Raises `Unfit` where it is none that could ever be called; nobody is asked for that."""
    if not isinstance(url, str) or not url or len(url) > LONGEST:
        raise Unfit(f"must be an address such as https://example.com/hook, of at most {LONGEST} characters")
    if any(letter <= " " or letter == "\x7f" or letter == "\\" for letter in url):
        raise Unfit("must be an address without blanks and control characters")
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
        name = host if ":" in host else host.encode("idna").decode()
        path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
        query = quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    except (ValueError, UnicodeError):
        raise Unfit("must be an address such as https://example.com/hook") from None
    if parts.scheme not in _PORTS or not name or len(name) > 253:
        raise Unfit("must be an address such as https://example.com/hook")
    if parts.username is not None or parts.password is not None:
        raise Unfit("must not hold a name or a password")
    port = port or _PORTS[parts.scheme]
    trusted = bool({name, f"{name}:{port}"} & {host.lower() for host in settings.OUTGOING_HOSTS})
    if not trusted:
        _check_way(parts.scheme, port)
    return Place(parts.scheme, name, port, f"{path}?{query}" if query else path, trusted)


def _check_way(scheme: str, port: int) -> None:
    if scheme != "https" and not settings.OUTGOING_HTTP:
        raise Unfit("must begin with https://")
    if port != _PORTS[scheme]:
        raise Unfit(f"must not name a port other than {_PORTS[scheme]}")


def flaw(url: object) -> str:
    """What is wrong with an address, as written; "" where nothing is. Where it leads is asked when it is called."""
    try:
        read(url)
    except Unfit as unfit:
        return str(unfit)
    return ""


def judged(place: Place, resolve: Resolve) -> list[str]:
    """The addresses of the place, of which every one may be called; raises `Unfit` where one may not, or `OSError`."""
    found = list(dict.fromkeys(resolve(place.host, place.port)))
    if not found:
        raise OSError("it has no address")
    if not place.trusted and not all(is_public(one) for one in found):
        raise Unfit("leads into a network that is not public")
    return found


def is_public(address: str) -> bool:
    """Whether it is an address of the open net, for one receiver."""
    try:
        read: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(read, IPv6Address) and read.ipv4_mapped is not None:
        read = read.ipv4_mapped
    return read.is_global and not any(read in net for net in _NEVER if net.version == read.version)


def resolve(host: str, port: int, *, seconds: float = 5) -> list[str]:
    """Asks the system for the addresses of a host, and waits no longer than that."""
    found: list[Any] = []

    def ask() -> None:
        try:
            found.append([str(row[4][0]) for row in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)])
        except (OSError, UnicodeError) as error:
            found.append(OSError(f"its name leads nowhere ({error})"))

    # In a thread, since the system's own patience cannot be told.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(seconds)
    if not found:
        raise TimeoutError("nobody said where its name leads")
    if isinstance(found[0], OSError):
        raise found[0]
    addresses: list[str] = found[0]
    return addresses
