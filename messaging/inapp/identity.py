"""Who asks for an inbox: the user that the customer's own server signed for, so that nobody reads another's.

The signature is HMAC-SHA256, with a key that this installation shares with that server, of `<expires>.<user id>`, in
hexadecimal; `expires` is in seconds since 1970, or 0 for never. The three travel as one token.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from datetime import datetime

from messaging import wiring

CHANNEL, KEY = "in_app", "key"
_LONGEST = 2_000


def new_key() -> str:
    return secrets.token_hex(32)


def sign(key: str, user: str, expires: int = 0) -> str:
    """As the customer's server does it. `expires` stands in front, and holds digits alone: so nothing reads twice."""
    return hmac.new(key.encode(), f"{expires}.{user}".encode(), hashlib.sha256).hexdigest()


def token(user: str, signature: str, expires: int = 0) -> str:
    """The three as one word, as it goes over the wire."""
    return f"{base64.urlsafe_b64encode(user.encode()).decode().rstrip('=')}.{expires}.{signature}"


def read(given: str, *, now: datetime) -> str | None:
    """The id of the user whom the token speaks for; None if nobody with a key of ours signed it, or it is over."""
    user, _, rest = given.partition(".")
    expires, _, signature = rest.partition(".")
    if len(given) > _LONGEST or not expires.isascii() or not expires.isdecimal() or len(expires) > 12:
        return None
    try:
        name = base64.urlsafe_b64decode(user + "=" * (-len(user) % 4)).decode()
    except (binascii.Error, ValueError):
        return None
    if not name or "\0" in name or not signature.isascii():
        return None
    ends = int(expires)
    is_ours = [hmac.compare_digest(sign(key, name, ends), signature) for key in wiring.taken(CHANNEL, KEY, now=now)]
    return name if any(is_ours) and (not ends or ends > now.timestamp()) else None
