"""The base of the REST API's views: who asks, whether they may, how much they may, and writes that may be repeated."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any, cast

from django.conf import settings
from django.db import connection, transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers, status
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from foundation import bodies, clock
from foundation.errors import Invalid, Problem
from foundation.rest import Fields, Pages
from staff import actors, idempotency, keys
from staff.models import Key, User

_WRITES = ("POST", "PUT", "PATCH", "DELETE")


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = f"A request may hold {settings.DATA_UPLOAD_MAX_MEMORY_SIZE:,} bytes at most; send less at a time."


class LengthRequired(APIException):
    status_code = status.HTTP_411_LENGTH_REQUIRED


class ProblemDetails(serializers.Serializer):
    """What is wrong with a request (RFC 9457). `errors` names each part with its path, such as `all[1].count.op`."""

    class Part(serializers.Serializer):
        path = serializers.CharField()
        reason = serializers.CharField()

        class Meta:
            ref_name = "ProblemPart"

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    errors = Part(many=True, required=False)  # type: ignore[assignment]

    class Meta:
        ref_name = "Problem"


class Schema(AutoSchema):
    """Describes what `Resource` adds to each operation: ids in the address, filters, repeatable writes, problems."""

    view: Any

    def get_override_parameters(self) -> list[Any]:
        ids = [
            OpenApiParameter(name, str, OpenApiParameter.PATH, required=True)
            for name in re.findall(r"{(\w+)}", self.path)
        ]
        filters = [self.view.filters] if self.view.filters and self.view.action == "list" else []
        repeatable = OpenApiParameter(
            idempotency.HEADER,
            str,
            OpenApiParameter.HEADER,
            description="Makes the repetition of this request get the same answer and do nothing again, for 24 hours.",
        )
        writes = self.method in _WRITES and self.view.action not in self.view.asks
        return [*ids, *filters, *([repeatable] if writes else []), *super().get_override_parameters()]

    def get_serializer_name(self, serializer: Any, direction: Any) -> str:
        return super().get_serializer_name(serializer, direction).removesuffix("Fields")

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation = super().get_operation(*args, **kwargs)
        if operation is not None:
            problem = self.resolve_serializer(ProblemDetails, "response").ref
            operation["responses"]["default"] = {
                "description": "What is wrong, and where.",
                "content": {"application/problem+json": {"schema": problem}},
            }
        return operation


class Resource(GenericViewSet):
    """A view of the REST API.

        class TopicView(Resource):
            scope = "topics"                # staff.scopes.RESOURCES
            queryset = Topic.objects.all()
            serializer_class = TopicFields  # foundation.rest.Fields, each field named
            lookup_field = "slug"
            order = ("slug",)               # of lists: one or two fields, the last unique

    DRF's mixins add what it can (`ListModelMixin`, `RetrieveModelMixin`); writes call the domain and answer `shown`.
    `filters` (a `Fields`) declares the query parameters of the list, and `narrowed` applies them. `asks` names actions
    that change nothing although they are POSTed. `now` is the moment of the request, for the domain's verbs.
    """

    scope: str
    asks: tuple[str, ...] = ()
    order: tuple[str, ...] = ("pk",)
    filters: type[Fields] | None = None
    pagination_class: type[Pages] | None = Pages
    schema = Schema()
    metadata_class = None
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    now: datetime
    key: Key

    # ── Around each request ──────────────────────────────────────────────────────────────────────────────────────────
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        with actors.acting_as("system"):
            return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.now = clock.now()
        super().initial(request, *args, **kwargs)
        self.key = cast(Key, request.auth)
        actors.become(f"key:{self.key.name}")
        self._refuse_nul(request)
        if request.method in _WRITES:
            self._read_body(request)
        if (key := idempotency.given(request)) and request.method in _WRITES and self.action not in self.asks:
            self._make_repeatable(request, key)

    def check_throttles(self, request: Request) -> None:
        if wait := keys.spend(cast(Key, request.auth), 1, now=self.now):
            self.throttled(request, wait)

    def _refuse_nul(self, request: Request) -> None:
        # PostgreSQL stores no NUL, so whatever holds one is found nowhere.
        for name, value in [*self.kwargs.items(), *request.query_params.items()]:
            if "\x00" in f"{name}{value}":
                raise Invalid.at(name.replace("\x00", ""), "No name or value here holds a NUL character.")

    def _read_body(self, request: Request) -> None:
        try:
            raw = bodies.read(request._request, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        except bodies.TooLarge:
            bodies.drain(request._request)
            raise TooLarge from None
        except bodies.LengthRequired as refusal:
            raise LengthRequired(str(refusal)) from None
        except OSError:
            raise Invalid.at("", "The body broke off; send it again.") from None
        if not raw and request.method in ("PUT", "PATCH"):
            # Taken for an empty object, it would empty what is there.
            raise Invalid.at("", f'This {request.method} has no body. Send an object, such as {{"name": "value"}}.')

    def _make_repeatable(self, request: Request, key: str) -> None:
        """Puts `idempotency.once` around the method that will answer this request."""
        method = (request.method or "").lower()
        handler = getattr(self, method, None)
        if handler is not None:
            setattr(self, method, partial(self._once, handler, key))

    def _once(
        self, handler: Callable[..., Response], key: str, request: Request, *args: Any, **kwargs: Any
    ) -> Response:
        def answer() -> Response:
            try:
                return handler(request, *args, **kwargs)
            except Exception as refusal:
                return self.handle_exception(refusal)  # a refusal is an answer, too

        return idempotency.once(request, key, self.key, answer, now=self.now)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    # ── For the views ────────────────────────────────────────────────────────────────────────────────────────────────
    def filter_queryset(self, queryset: Any) -> Any:
        return self.narrowed(queryset, **self.asked()) if self.action == "list" else queryset

    def narrowed(self, queryset: Any, **asked: Any) -> Any:
        """The list as its filters ask for it."""
        return queryset

    def asked(self) -> dict[str, Any]:
        """The values of the declared query parameters. Raises what the API answers with 400."""
        query = self.request.query_params
        form = self.filters(data=query.dict()) if self.filters else Fields(data=query.dict())
        known = [*form.fields, "cursor", "limit"]
        problems = [
            Problem(name, f"There is no such filter; there are {', '.join(known)}.")
            for name in query
            if name not in known
        ]
        problems += [
            Problem(name, "This is given twice; which one is meant?") for name in query if len(query.getlist(name)) > 1
        ]
        if problems:
            raise Invalid(problems)
        form.initial_data = {name: value for name, value in query.dict().items() if name in form.fields}
        form.is_valid(raise_exception=True)
        return dict(form.validated_data)

    def values(self, name: str) -> dict[str, Any]:
        """What the body sets, as it was sent, for verbs that check it; `name` is the field that the address has.

        An answer of ours may be sent back whole: what nobody can set is passed over, but for `name`, which must agree.
        """
        data, fields = self.request.data, cast(Fields, self.get_serializer()).fields
        if not isinstance(data, dict):
            raise Invalid.at("", 'Send an object, such as {"name": "value"}.')
        there_are = ", ".join(key for key, field in fields.items() if not field.read_only)
        wrong = [Problem(key, f"There is no such field; there are {there_are}.") for key in data if key not in fields]
        if data.get(name, self.kwargs[name]) != self.kwargs[name]:
            wrong.append(Problem(name, f"This is not the {name} in the address, which cannot be changed."))
        if wrong:
            raise Invalid(wrong)
        return {key: value for key, value in data.items() if key != name and not fields[key].read_only}

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """A transaction in which no other request writes what is called `name` here.

        What the block asks before it writes, such as whether it is there, still holds when it has written.
        """
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{self.scope} {name}"])
            yield

    def taken(self, fields: type[serializers.Serializer] | None = None, **options: Any) -> dict[str, Any]:
        """The body, checked by `fields`, by default the view's own. Raises what the API answers with 400."""
        form = (fields or self.get_serializer_class())(
            data=self.request.data, context=self.get_serializer_context(), **options
        )
        form.is_valid(raise_exception=True)
        return dict(form.validated_data)

    def replaced(self, *, partial: bool = False) -> dict[str, Any]:
        """The body, checked by the view's fields, of a PUT or (`partial`) PATCH on what the address names.

        The body may name it, too, but only so. What the address names is not in the result.
        """
        name, data = self.lookup_field, self.request.data
        if isinstance(data, dict):
            if data.get(name, self.kwargs[name]) != self.kwargs[name]:
                raise Invalid.at(name, f"This is not the {name} in the address, which cannot be changed.")
            data = {**data, name: self.kwargs[name]}
        form = self.get_serializer(data=data, partial=partial)
        form.is_valid(raise_exception=True)
        return {key: value for key, value in form.validated_data.items() if key != name}

    def shown(self, row: Any, status: int = 200) -> Response:
        """The answer that shows `row` as the view does."""
        return Response(self.get_serializer(row).data, status)


def member(username: str | None) -> User | None:
    """The member of staff whom a field `owner` names. Raises `Invalid`."""
    if username is None:
        return None
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise Invalid.at("owner", f"Nobody on the staff has the user name {username!r}.")
    return user
