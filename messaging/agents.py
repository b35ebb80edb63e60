"""Who followed a link or fetched a picture: a person, a mail service on its own, or a program that looks for malware.

The lists are data and grow; what was judged by an older list can be judged anew (`manage.py rescore`), since the raw
facts are kept.
"""

import re
from datetime import datetime, timedelta

AT_ONCE = timedelta(seconds=2)
"""Sooner than that after the mail left nobody has read it."""
PREFETCH = timedelta(seconds=10)
"""Mail services that fetch pictures ahead do so when the mail comes in; later, somebody opened it."""

# Programs that follow links to look where they lead, and libraries that people do not read mail with.
_PROGRAMS = re.compile(
    r"bot\b|crawl|spider|scan|proofpoint|mimecast|barracuda|symantec|messagelabs|trend ?micro|fireeye|forcepoint|sophos"
    r"|safelinks|bitdefender|zscaler|ironport|cisco|cloudmark|spamassassin|facebookexternalhit|slackbot|whatsapp|skypeuripreview"
    r"|bingpreview|google-safety|google-read-aloud|appengine-google|headless|phantomjs|python-|aiohttp|httpx|curl/|wget|java/"
    r"|okhttp|go-http-client|libwww|node-fetch|axios|ruby|perl|php/",
    re.IGNORECASE,
)
# Apple's Mail Privacy Protection fetches all pictures of all mails, and says no more of itself than this.
_AHEAD = re.compile(r"\AMozilla/5\.0\Z")
# These fetch a picture when somebody opens the mail, and some ahead of it.
_SERVICES = re.compile(r"GoogleImageProxy|YahooMailProxy|ggpht\.com|Outlook-?Image|BrandShield", re.IGNORECASE)


def is_program(agent: str) -> bool:
    return bool(_PROGRAMS.search(agent))


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
