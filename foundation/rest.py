"""What every part of the REST API is made of: strict fields, pages by cursor, a bound on how long a read may take."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core import signing
from django.db import connection, transaction
from django.db.models import Q
from rest_framework import serializers
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.errors import Invalid

# Ids of integrators hold any characters, slashes among them: the whole rest of the path up to what comes behind it.
EXTERNAL_ID = r"[^\x00]+"


class Text(serializers.CharField):
    """A text as it was sent: a number or true is no text, and nothing is trimmed."""

    default_error_messages = {"invalid": "This is no text."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"trim_whitespace": False, **kwargs})

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return data


class Moment(serializers.DateTimeField):
    """A moment that is asked about, in ISO 8601: without a zone in the project's, as a bare date its midnight there."""

    def enforce_timezone(self, value: datetime) -> datetime:
        self.timezone = ZoneInfo(settings.PROJECT_TIME_ZONE)
        return super().enforce_timezone(value)


class JSONObject(serializers.DictField):
    """An object with any values in it."""

    default_error_messages = {"not_a_dict": "This is no object of names and values."}


class Fields(serializers.Serializer):
    """Fields named one by one, in and out. What is sent beside them is refused: most often it is a slip of the pen."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = [name for name in data if name not in self.fields]
            if unknown:
                there_are = ", ".join(name for name, field in self.fields.items() if not field.read_only)
                sentence = f"There is no such field; there are {there_are}."
                raise serializers.ValidationError({str(name): [sentence] for name in unknown})
        return super().to_internal_value(data)


class Pages(BasePagination):
    """A list page by page. A page begins behind the last row of the one before: what is added meanwhile moves nothing.

    The view's `order` names one or two fields, the last of them unique, all in one direction and never empty.
    """

    usual, most = 50, 1_000

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.request = request
        self.order: Sequence[str] = view.order
        limit = whole_number(request.query_params.get("limit"), "limit", usual=self.usual, most=self.most)
        if cursor := request.query_params.get("cursor"):
            queryset = queryset.filter(self._behind(cursor))
        rows = list(queryset.order_by(*self.order)[: limit + 1])
        self.last = rows[limit - 1] if len(rows) > limit else None
        return rows[:limit]

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": self._next(), "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        next_page = {
            "type": ["string", "null"],
            "format": "uri",
            "description": "The address of the next page; null on the last.",
        }
        return {
            "type": "object",
            "required": ["next", "results"],
            "properties": {"next": next_page, "results": schema},
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        limit = {"type": "integer", "minimum": 1, "maximum": self.most, "default": self.usual}
        return [
            {
                "name": "cursor",
                "in": "query",
                "description": "Where the page begins, as the `next` of the page before it says.",
                "schema": {"type": "string"},
            },
            {"name": "limit", "in": "query", "description": "How many a page holds.", "schema": limit},
        ]

    def _next(self) -> str | None:
        if self.last is None:
            return None
        query = self.request.query_params.copy()
        query["cursor"] = signing.dumps([_plain(getattr(self.last, name)) for name in self._names()], salt=self._salt())
        return self.request.build_absolute_uri(f"{self._address()}?{query.urlencode()}")

    def _address(self) -> str:
        """The request's path, encoded again: an id may hold what means something else in an address."""
        address = quote(self.request.path)
        for value in self.request.parser_context["kwargs"].values():
            address = address.replace(f"/{quote(value)}/", f"/{encoded(value)}/")
        return address

    def _behind(self, cursor: str) -> Q:
        try:
            # Signed, so that nobody makes up values that the database chokes on.
            values = signing.loads(cursor, salt=self._salt())
        except signing.BadSignature:
            raise Invalid.at("cursor", "This cursor is not from here; begin again without one.") from None
        side = "lt" if self.order[0].startswith("-") else "gt"
        first, last = self._names()[0], self._names()[-1]
        if first == last:
            return Q(**{f"{first}__{side}": values[0]})
        # The first clause follows from the second and lets the database use an index.
        return Q(**{f"{first}__{side}e": values[0]}) & (
            Q(**{f"{first}__{side}": values[0]}) | Q(**{f"{last}__{side}": values[1]})
        )

    def _names(self) -> list[str]:
        return [name.lstrip("-") for name in self.order]

    def _salt(self) -> str:
        return f"cursor {self.request.path} {' '.join(self.order)}"


def encoded(external_id: str) -> str:
    """The id as one segment of an address. Dots alone would mean a place above it, so they are encoded as well."""
    plain = quote(external_id, safe="")
    return plain.replace(".", "%2E") if not external_id.strip(".") else plain


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, str | int) else str(value)


def whole_number(given: str | None, path: str, *, usual: int, most: int) -> int:
    """The query parameter as a number from 1 to `most`, `usual` if it is not there. Raises `Invalid`."""
    if given is None:
        return usual
    if not given.isascii() or not given.isdigit() or len(given) > 9 or not 1 <= int(given) <= most:
        raise Invalid.at(path, f"This is a whole number from 1 to {most:,}.")
    return int(given)


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Has every question inside end after `seconds`; the REST API answers that with 503 and a sentence."""
    bound = "SELECT current_setting('statement_timeout'), set_config('statement_timeout', %s, true)"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(bound, [f"{int(seconds * 1000)}ms"])
        before = cursor.fetchone()[0]
        yield
        cursor.execute(bound, [before])  # a transaction around us lives on under its own
