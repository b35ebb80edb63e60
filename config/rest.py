"""How the REST API reads and answers: strict JSON in, problem details out (RFC 9457)."""

import logging
from collections.abc import Iterator
from http import HTTPStatus
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, RequestDataTooBig
from django.core.signals import got_request_exception
from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.parsers import BaseParser
from rest_framework.response import Response

from foundation import outages, strict_json
from foundation.errors import Invalid, Problem, Refused

log = logging.getLogger(__name__)

_MEDIA_TYPE = "application/problem+json"
_OWN = "non_field_errors"
# Journeys nest branches and conditions; what is kept of people is held to less by those who write it.
_DEEPEST = 100
_CANCELLED, _LOST_TIES = "57014", {"40001", "40P01"}


class StrictJSONParser(BaseParser):
    """JSON that PostgreSQL can keep as it was meant; anything else is refused with the path of what is wrong."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> Any:
        value = strict_json.decode(stream.read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE))
        if found := strict_json.problems(value, deepest=_DEEPEST):
            raise Invalid(found)
        return value


def problem_details(exc: Exception, context: dict[str, Any]) -> Response:
    """The answer to whatever was raised: what is wrong, where, and what to do; never what is inside."""
    status, detail, problems = _told(exc)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        request = context["request"]._request
        log.error("%s %s failed", request.method, request.path, exc_info=exc)
        got_request_exception.send(sender=type(context["view"]), request=request)
    response = Response(
        problem(status, detail, problems), status, headers=_headers(exc, status), content_type=_MEDIA_TYPE
    )
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def problem(status: int, detail: str, problems: list[Problem] | None = None) -> dict[str, Any]:
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if problems:
        body["errors"] = [{"path": each.path, "reason": each.reason} for each in problems]
    return body


def _told(exc: Exception) -> tuple[int, str, list[Problem]]:
    match exc:
        case Invalid():
            return 400, str(exc), exc.problems
        case Refused():
            return 409, str(exc), []
        case ValidationError():
            wrong = Invalid(list(_flat(exc.detail)))
            return 400, str(wrong), wrong.problems
        case APIException():
            return exc.status_code, str(exc.detail), []
        case Http404() | ObjectDoesNotExist():
            return 404, _missing(exc), []
        case PermissionDenied():
            return 403, str(exc) or "This is not allowed.", []
        case RequestDataTooBig():
            return 413, "The request is too large; send less at a time.", []
        case _ if outages.is_one(exc):
            return 503, _out_of_order(exc), []
    return 500, "Something went wrong here, not with the request. It has been written down; ask again later.", []


def _missing(exc: Exception) -> str:
    # Django's own sentence names a class of ours.
    said = str(exc)
    return said if said and "matches the given query" not in said else "There is nothing at this address."


def _flat(detail: Any, path: str = "") -> Iterator[Problem]:
    """What a serializer found, as problems with paths."""
    if isinstance(detail, dict):
        for name, below in detail.items():
            yield from _flat(below, path if name == _OWN else _joined(path, name))
    elif isinstance(detail, list):
        for place, below in enumerate(detail):
            # A list of sentences is about this place; a list of anything else is about the items of a list.
            yield from [Problem(path, str(below))] if isinstance(below, str) else _flat(below, f"{path}[{place}]")
    else:
        yield Problem(path, str(detail))


def _joined(path: str, name: Any) -> str:
    # DictField names its keys, ListField the places of its items.
    if isinstance(name, int):
        return f"{path}[{name}]"
    return f"{path}.{name}" if path else str(name)


def _out_of_order(exc: Exception) -> str:
    state = getattr(exc.__cause__, "sqlstate", None)
    if state == _CANCELLED:
        return "This takes longer than one request may. Narrow it down, or ask for less at a time."
    if state in _LOST_TIES:
        return "Others are changing the same at this moment. Ask again."
    log.warning("The database is out of reach: %s", type(exc).__name__, exc_info=exc)
    return "The database is out of reach at this moment. Ask again soon."


def _headers(exc: Exception, status: int) -> dict[str, str]:
    headers = {}
    if asked_for := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = asked_for
    if wait := getattr(exc, "wait", None):
        headers["Retry-After"] = str(int(wait))
    elif status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "1"
    return headers


@csrf_exempt
def nothing_here(request: HttpRequest) -> JsonResponse:
    """The answer at any address of the API that is none."""
    hint = "" if request.path.endswith("/") else " Addresses end with a slash."
    body = problem(404, f"There is nothing at {request.path}.{hint}")
    return JsonResponse(body, status=404, content_type=_MEDIA_TYPE)
