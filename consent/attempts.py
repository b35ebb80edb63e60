"""How often strangers may do something: counted in the database, so that all processes count together."""

import hashlib
import hmac
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network

from django.conf import settings
from django.db import connection, transaction
from django.http import HttpRequest

from consent.models import Attempt

_KEY = b"cairn.attempts"


def spend(what: str, whose: str, most: int, span: timedelta, *, now: datetime) -> timedelta | None:
    """Counts one more, and returns None; or, where `most` came within the span, how long until there is room again."""
    digest = hmac.new(settings.SUPPRESSION_KEY.encode() + _KEY, f"{what}\0{whose}".encode(), hashlib.sha256).hexdigest()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))", [digest])
        recent = list(
            Attempt.objects.filter(digest=digest, at__gt=now - span).order_by("-at").values_list("at", flat=True)[:most]
        )
        if len(recent) >= most:
            return recent[-1] + span - now
        Attempt.objects.create(digest=digest, at=now)
    return None


def where_from(request: HttpRequest) -> str:
    """The network that a request came from, its last part left out; what the proxy of ours says, if there is one."""
    address = request.META.get("REMOTE_ADDR", "")
    if settings.SECURE_PROXY_SSL_HEADER:
        # Each proxy adds to the end: the last is ours, and all before it anybody may have written.
        address = request.headers.get("X-Forwarded-For", address).rpartition(",")[2].strip()
    try:
        size = 24 if ip_address(address).version == 4 else 48
    except ValueError:
        return "unknown"
    return str(ip_network(f"{address}/{size}", strict=False))
