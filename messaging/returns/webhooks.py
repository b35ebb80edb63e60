"""Where mail providers tell us what became of mails: whatever Anymail understands, kept and answered at once.

Only providers that are configured are heard, and only with the secret (PR-01). Nothing is looked up and nothing done
here, and one event that nobody can read costs its neighbours nothing (PR-02).
"""

import copy
import inspect
import json
import logging
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib import import_module
from typing import Any
from uuid import UUID

from anymail.exceptions import AnymailWebhookValidationFailure
from anymail.signals import AnymailTrackingEvent
from anymail.webhooks.base import AnymailBaseWebhookView
from django.conf import settings
from django.core import checks
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from foundation import clock
from messaging.returns import reports
from messaging.returns.reports import Told

log = logging.getLogger(__name__)

_NAME = re.compile(r"[a-z][a-z_]{1,30}")


@csrf_exempt
def receive(request: HttpRequest, provider: str) -> HttpResponse:
    """Takes what a provider tells. 400 without the secret or the signature; 5xx, so that it comes again, if the
    database is away."""
    kind = view_of(provider) if provider in settings.MAIL_WEBHOOKS else None
    if kind is None:
        raise Http404
    if request.method == "HEAD":  # some look whether anybody is there
        return HttpResponse()
    if request.method != "POST":
        return HttpResponse(status=405, headers={"Allow": "POST, HEAD"})
    if not settings.MAIL_WEBHOOK_SECRETS:
        return HttpResponse("No secret is set for this address.", status=400, content_type="text/plain")
    view = kind()
    try:
        view.run_validators(request)
    except AnymailWebhookValidationFailure:
        return HttpResponse("The secret or the signature is wrong.", status=400, content_type="text/plain")
    reports.keep(list(told(view, request, provider)), now=clock.now())
    return HttpResponse()


def view_of(provider: str) -> type[Any] | None:
    """Anymail's own reader of what this provider sends; None where there is none."""
    if not _NAME.fullmatch(provider):
        return None
    try:
        module = import_module(f"anymail.webhooks.{provider}")
    except ImportError:
        return None
    for name, view in inspect.getmembers(module, inspect.isclass):
        if (
            view.__module__ == module.__name__
            and re.search(r"(Tracking|Combined)WebhookView$", name)
            and issubclass(view, AnymailBaseWebhookView)
        ):
            return view
    return None


def told(view: Any, request: HttpRequest, provider: str) -> Iterator[Told]:
    """What a request says, event by event; what cannot be read is kept as it came."""
    try:
        events = view.parse_events(request)
    except Exception as error:
        log.warning("what %s told could not be read together (%s)", provider, type(error).__name__)
        yield from _piece_by_piece(view, request, provider)
        return
    for event in events:
        yield _told(event, provider)


def _piece_by_piece(view: Any, request: HttpRequest, provider: str) -> Iterator[Told]:
    body = request.body
    try:
        items = json.loads(body)
    except ValueError:
        items = None
    if not isinstance(items, list) or len(items) < 2:
        yield _unread(provider, body.decode("utf-8", "replace"))
        return
    for item in items:
        piece = copy.copy(request)
        piece._body = json.dumps([item]).encode()
        try:
            events = list(view.parse_events(piece))
        except Exception:
            yield _unread(provider, json.dumps(item))
            continue
        for event in events:
            yield _told(event, provider)


def _unread(provider: str, raw: str) -> Told:
    return Told(source=provider, kind="unknown", raw=raw)


def _told(event: Any, provider: str) -> Told:
    if not isinstance(event, AnymailTrackingEvent):  # mail that came in, where a provider has one door for both
        return _unread(provider, _raw(event.esp_event))
    metadata = event.metadata if isinstance(event.metadata, Mapping) else {}
    return Told(
        source=provider,
        kind=_text(event.event_type) or "unknown",
        named=_id(metadata.get("message")),
        provider_id=_text(event.message_id),
        header_id=_header_id(_text(event.message_id)),
        recipient=_text(event.recipient),
        event_id=_text(event.event_id),
        said=" ".join(filter(None, (_text(event.mta_response), _text(event.description)))),
        reason=_text(event.reject_reason),
        url=_text(event.click_url),
        agent=_text(event.user_agent),
        at=event.timestamp if isinstance(event.timestamp, datetime) else None,
        raw=_raw(event.esp_event),
    )


def _header_id(name: str) -> str:
    """Some providers call a mail by its Message-ID."""
    return f"<{name.strip('<>')}>" if "@" in name else ""


def _id(value: Any) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _raw(event: Any) -> str:
    try:
        plain = event.dict() if hasattr(event, "dict") else dict(event) if isinstance(event, Mapping) else event
        return json.dumps(plain, default=str)
    except (TypeError, ValueError):
        return str(event)


@checks.register(checks.Tags.security)
def secrets_are_set(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:
    """PR-01: whoever can tell us what became of mails can silence addresses, so nobody does it without a secret."""
    found: list[checks.CheckMessage] = []
    if not settings.MAIL_WEBHOOKS:
        return found
    secrets = settings.MAIL_WEBHOOK_SECRETS
    if not secrets:
        found.append(
            checks.Error(
                "MAIL_WEBHOOKS is set and MAIL_WEBHOOK_SECRETS is not.",
                hint="Set user:password for the provider to call with; two, parted by a comma, while you change it.",
                id="messaging.E001",
            )
        )
    if any(":" not in secret or len(secret) < 16 for secret in secrets):
        found.append(
            checks.Error(
                "Each of MAIL_WEBHOOK_SECRETS must be user:password, of at least 16 characters in all.",
                id="messaging.E002",
            )
        )
    unknown = [name for name in settings.MAIL_WEBHOOKS if view_of(name) is None]
    if unknown:
        found.append(
            checks.Error(
                f"MAIL_WEBHOOKS names {', '.join(unknown)}, of which Anymail does not know how they report.",
                hint="Name it as Anymail does, such as postmark, mailgun, amazon_ses or brevo.",
                id="messaging.E003",
            )
        )
    if settings.BASE_URL.startswith("http://") and "//127.0.0.1" not in settings.BASE_URL:
        found.append(
            checks.Warning(
                "MAIL_WEBHOOKS is set and BASE_URL has no TLS: the secret can be read on its way.", id="messaging.W001"
            )
        )
    return found
