"""Who followed a link or fetched a picture: a person, a mail service on its own, or a program that looks for malware.

The lists are data (`messaging/data/scanners.json`) and grow; what was judged by an older list can be judged anew
(`manage.py rescore`), since the raw facts are kept.
"""

import json
import re
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

AT_ONCE = timedelta(seconds=2)
"""Sooner than that after the mail left nobody has read it."""
PREFETCH = timedelta(seconds=10)
"""Mail services that fetch pictures ahead do so when the mail comes in; later, somebody opened it."""

_KNOWN: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "scanners.json").read_text(encoding="utf-8"))


def _any_of(name: str) -> re.Pattern[str]:
    return re.compile("|".join(_KNOWN[name]), re.IGNORECASE)


_PROGRAMS = _any_of("programs")
"""Programs that follow links to look where they lead, and libraries that people do not read mail with."""
_AHEAD = _any_of("ahead")
"""Apple's Mail Privacy Protection fetches all pictures of all mails, and says no more of itself than this."""
_SERVICES = _any_of("services")
"""These fetch a picture when somebody opens the mail, and some ahead of it."""
_NETWORKS = [(one["name"], ip_network(prefix)) for one in _KNOWN["networks"] for prefix in one["prefixes"]]


def is_program(agent: str) -> bool:
    return bool(_PROGRAMS.search(agent))


def network_of(where: str) -> str:
    """The name of the scanners' network that a request came from, by what is known of its address; "" for all others.

    So the name is kept and no address is. `where` is a network itself, as `consent.attempts.where_from` says it.
    """
    try:
        found = ip_network(where)
    except ValueError:
        return ""
    return next((name for name, network in _NETWORKS if _is_within(found, network)), "")


def _is_within(small: IPv4Network | IPv6Network, large: IPv4Network | IPv6Network) -> bool:
    if isinstance(small, IPv4Network):
        return isinstance(large, IPv4Network) and small.subnet_of(large)
    return isinstance(large, IPv6Network) and small.subnet_of(large)


def of_opening(agent: str, method: str, at: datetime, left: datetime | None) -> str:
    """`human`, `proxy`, `bot` or `unknown`: who fetched a picture `at`, of a mail that `left` then."""
    early = left is not None and at < left + AT_ONCE
    if method != "GET" or is_program(agent):
        return "bot"
    if _AHEAD.match(agent.strip()):
        return "proxy"
    if _SERVICES.search(agent):
        return "proxy" if left is not None and at < left + PREFETCH else "human"
    if early:
        return "bot"
    return "human" if "Mozilla/" in agent or "Outlook" in agent or "Thunderbird" in agent else "unknown"


def is_machine(agent: str, at: datetime, left: datetime | None, *, link: bool) -> bool:
    """Whether what a provider saw was no person's doing, as far as it tells."""
    if link:
        return is_program(agent) or (left is not None and at < left + AT_ONCE)
    # Providers say often nothing of the program; what they counted as an opening, then counts.
    return bool(agent) and of_opening(agent, "GET", at, left) != "human"
