"""Which addresses must not be written to: kept as keyed hashes, so that they outlive the erasure of the person."""

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime

from django.conf import settings

from consent.models import Suppression
from foundation import phones

_PHONE = re.compile(r"\+?[\d\s().\-/]+")


def hash_of(address: str) -> str:
    """HMAC-SHA-256 of the address as `normalised`, by a key that is not in the database."""
    return _keyed(normalised(address))


def _keyed(plain: str) -> str:
    key = settings.SUPPRESSION_KEY.encode()
    return hmac.new(key, plain.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def _hashes(address: str) -> list[str]:
    """The one that it is kept under, and that of before it was known which country a number is from."""
    text = _plain(address)
    before = [phones.bare(text)] if _PHONE.fullmatch(text) else []
    return [_keyed(one) for one in dict.fromkeys([normalised(address), *before])]


def normalised(address: str) -> str:
    """One spelling for all that reach the same place: compatibility forms, case, white space, international domains.

    `+tag` and dots stay: at some providers they lead to other people.
    """
    text = _plain(address)
    if _PHONE.fullmatch(text):
        return phones.international(text) or phones.bare(text)
    text = unicodedata.normalize("NFKC", text.casefold())
    local, at, domain = text.rpartition("@")
    return local + at + _ascii(domain.rstrip(".")) if at else text


def _plain(address: str) -> str:
    return "".join(unicodedata.normalize("NFKC", address).split())


def _ascii(domain: str) -> str:
    try:
        return domain.encode("idna").decode()
    except UnicodeError:  # no name that any mail could go to
        return domain


def find(channel: str, addresses: Iterable[str]) -> dict[str, list[Suppression]]:
    """What stands against each address, by the address as given; an empty list where nothing does."""
    hashes = {address: _hashes(address) for address in addresses}
    every = {digest for digests in hashes.values() for digest in digests}
    found: dict[str, list[Suppression]] = {}
    for row in Suppression.objects.filter(channel=channel, address_hash__in=every).order_by("at"):
        found.setdefault(row.address_hash, []).append(row)
    return {address: [row for one in digests for row in found.get(one, ())] for address, digests in hashes.items()}


def add(channel: str, address: str, reason: str, now: datetime, scope: str, note: str = "") -> bool:
    """Suppresses the address from now on; for a reason that stands already nothing changes. Whether that was news."""
    if any(row.reason == reason for row in find(channel, [address])[address]):
        return False
    add_hash(channel, hash_of(address), reason, now, scope, note)
    return True


def add_hash(channel: str, digest: str, reason: str, now: datetime, scope: str, note: str = "") -> None:
    """The same for an address of which the hash alone is known."""
    Suppression.objects.bulk_create(
        [Suppression(channel=channel, address_hash=digest, reason=reason, at=now, scope=scope, note=note)],
        ignore_conflicts=True,
    )


def lift(channel: str, address: str, reason: str) -> bool:
    """Ends what stood against the address for this reason; whether anything did. Other reasons stand."""
    rows = Suppression.objects.filter(channel=channel, address_hash__in=_hashes(address), reason=reason)
    return bool(rows.delete()[0])
