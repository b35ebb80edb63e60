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
from anymail.webhooks.base import AnymailBaseWebhookView, AnymailBasicAuthMixin
from django.conf import settings
from django.core import checks
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from foundation import bodies, clock
from messaging.returns import reports
from messaging.returns.reports import Told

log = logging.getLogger(__name__)

_NAME = re.compile(r"[a-z][a-z_]{1,30}")
_NOT_HERE = {"amazon_ses"}  # it comes through SNS, whose subscription somebody must confirm with keys of AWS
_MOST = 10_000_000


@csrf_exempt
def receive(request: HttpRequest, provider: str) -> HttpResponse:
    """Takes what a provider tells. 401 without a secret, 400 with a wrong one or a wrong signature; 5xx, so that it
    comes again, if the database is away."""
    kind = view_of(provider) if provider in settings.MAIL_WEBHOOKS else None
    if kind is None:
        raise Http404
    if request.method == "HEAD":  # some look whether anybody is there
        return HttpResponse()
    if request.method != "POST":
        return HttpResponse(status=405, headers={"Allow": "POST, HEAD"})
    if not settings.MAIL_WEBHOOK_SECRETS:
        return HttpResponse("No secret is set for this address.", status=400, content_type="text/plain")
    if "Authorization" not in request.headers:  # some send it only when they are asked for it
        headers = {"WWW-Authenticate": 'Basic realm="webhooks"'}
        return HttpResponse("Say the secret.", status=401, headers=headers, content_type="text/plain")
    if unfit := _unfit(kind):
        log.error("%s cannot be heard: %s", provider, unfit)
        return HttpResponse("This is not set up.", status=503, content_type="text/plain")
    view = kind()
    try:
        AnymailBasicAuthMixin.validate_request(view, request)  # before a long body is read
        bodies.read(request, _MOST)
        view.run_validators(request)
    except bodies.LengthRequired as refusal:
        return HttpResponse(str(refusal), status=411, content_type="text/plain")
    except bodies.TooLarge:
        bodies.drain(request)
        return HttpResponse(f"This is larger than {_MOST:,} bytes.", status=413, content_type="text/plain")
    except OSError:
        return HttpResponse("The body broke off; send it again.", status=400, content_type="text/plain")
    except AnymailWebhookValidationFailure:
        return HttpResponse("The secret or the signature is wrong.", status=400, content_type="text/plain")
    reports.keep(list(told(view, request, provider)), now=clock.now())
    return HttpResponse()


def view_of(provider: str) -> type[Any] | None:
    """Anymail's own reader of what this provider sends; None where there is none."""
    if not _NAME.fullmatch(provider) or provider in _NOT_HERE:
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


def _unfit(kind: type[Any]) -> str:
    """Why what a provider sends cannot be read with the settings as they are; "" where it can."""
    try:
        kind()
    except Exception as error:  # of a library that is not there, of a key that is missing or is none
        return " ".join(str(error).split()) or type(error).__name__
    return ""


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
    kinds = {name: view_of(name) for name in settings.MAIL_WEBHOOKS}
    unknown = [name for name, kind in kinds.items() if kind is None]
    if unknown:
        found.append(
            checks.Error(
                f"MAIL_WEBHOOKS names {', '.join(unknown)}, of which it is not known here how they report.",
                hint="Name it as Anymail does, such as postmark, mailgun or brevo. Amazon SES is not supported.",
                id="messaging.E003",
            )
        )
    if secrets:
        reasons = {name: _unfit(kind) for name, kind in kinds.items() if kind is not None}
        found += [
            checks.Error(
                f"MAIL_WEBHOOKS names {name}, which cannot be heard: {reason}",
                hint="Put what it needs into ANYMAIL, or take it out of MAIL_WEBHOOKS.",
                id="messaging.E004",
            )
            for name, reason in reasons.items()
            if reason
        ]
    if settings.BASE_URL.startswith("http://") and "//127.0.0.1" not in settings.BASE_URL:
        found.append(
            checks.Warning(
                "MAIL_WEBHOOKS is set and BASE_URL has no TLS: the secret can be read on its way.", id="messaging.W001"
            )
        )
    return found
