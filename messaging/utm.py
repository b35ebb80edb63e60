"""Where a visit came from, said in the links to one's own sites: utm_source, utm_medium and utm_campaign (TR-03).

Nothing of the person is in them. They are added to the sites that UTM_SITES names and to no others, at the end of what
the author wrote and before its fragment; an address that says so itself, or that is signed, stays as it is.
"""

import re
from dataclasses import replace
from html import escape, unescape
from urllib.parse import quote, urlsplit

from django.conf import settings

from messaging.delivery import Letter

_HREF = re.compile(r'(<a\b[^>]*?\bhref=")([^"]*)(")', re.IGNORECASE)
# Whoever reads a signed address may check all of its parameters: one more breaks it.
_SIGNED = re.compile(
    r"(?:^|[&;])(?:utm_[a-z]+|x-(?:amz|goog|oss)-[\w-]+|[\w-]*signature|sig|sign|hmac|hash|digest|policy|key-pair-id|mac|jws)=",
    re.IGNORECASE,
)


def told(letter: Letter, campaign: str) -> Letter:
    """The letter, its links to our sites saying by what mail of ours somebody came."""
    if not settings.UTM_SITES or not letter.html:
        return letter

    def say(found: re.Match[str]) -> str:
        address = unescape(found[2])
        said = told_in(address, letter.channel, campaign)
        return found[0] if said == address else f"{found[1]}{escape(said)}{found[3]}"

    return replace(letter, html=_HREF.sub(say, letter.html))


def told_in(address: str, medium: str, campaign: str) -> str:
    """The address with its source, where it is one of our sites' and leaves room for that; else as it was."""
    if not address.lower().startswith(("http://", "https://")) or re.search(r"[\s\\\x00-\x1f]", address):
        return address
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return address
    if not any(host == site or host.endswith(f".{site}") for site in map(str.lower, settings.UTM_SITES)):
        return address
    if f"{address}/".startswith(f"{settings.BASE_URL}/") or _SIGNED.search(parts.query):
        return address
    values = (("source", settings.UTM_SOURCE), ("medium", medium), ("campaign", campaign))
    query = "&".join(f"utm_{name}={quote(value, safe='')}" for name, value in values if value)
    before, mark, fragment = address.partition("#")
    joined = "" if before.endswith(("?", "&")) else "&" if "?" in before else "?"
    return f"{before}{joined}{query}{mark}{fragment}"
