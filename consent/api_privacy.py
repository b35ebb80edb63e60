"""Requests under the GDPR over the REST API."""

from typing import Any

from django.db.models import Q, QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from consent import requests
from consent.models import PrivacyRequest
from foundation.errors import Invalid
from foundation.rest import Fields, Text
from profiles.api import find
from staff.rest import Resource


class StepFields(Fields):
    at = serializers.DateTimeField(read_only=True)
    actor = serializers.CharField(read_only=True)
    what = serializers.CharField(read_only=True)
    said = serializers.CharField(read_only=True, help_text="In whose words ever; gone with an erasure.")


class PrivacyRequestFields(Fields):
    id = serializers.UUIDField(read_only=True)
    external_id = Text(source="profile.external_id", allow_null=True, help_text="Whose; null once they are erased.")
    kind = serializers.ChoiceField(PrivacyRequest.Kind.choices)
    said = Text(required=False, allow_blank=True, default="", max_length=requests.LONGEST, help_text="In their words.")
    identity = Text(
        required=False,
        allow_blank=True,
        default="",
        max_length=requests.LONGEST,
        help_text="How you made sure who asks.",
    )
    via = serializers.CharField(read_only=True)
    status = serializers.SerializerMethodField(help_text=f"One of {', '.join(requests.STATUSES)}.")
    raised_at = serializers.DateTimeField(read_only=True)
    due_on = serializers.DateField(read_only=True)
    extended = serializers.CharField(read_only=True)
    closed_at = serializers.DateTimeField(read_only=True)
    outcome = serializers.CharField(read_only=True)
    answer = serializers.CharField(read_only=True)
    steps = StepFields(many=True, read_only=True)

    def get_status(self, row: PrivacyRequest) -> str:
        return requests.status(row, self.context["view"].now)


class LiftFields(Fields):
    reason = Text(max_length=requests.LONGEST, help_text="Why; of a restriction the person is mailed it.")


class ChangeFields(Fields):
    """An extension, an end, or how it was made sure who asks."""

    extended = Text(required=False, max_length=2_000, help_text="Why it takes two months longer.")
    outcome = serializers.ChoiceField(PrivacyRequest.Outcome.choices, required=False)
    answer = Text(required=False, max_length=requests.LONGEST, help_text="What the person was told.")
    identity = Text(required=False, max_length=requests.LONGEST, help_text="How you made sure who asks.")


class PrivacyFilters(Fields):
    status = serializers.ChoiceField(requests.STATUSES, required=False)
    kind = serializers.ChoiceField(PrivacyRequest.Kind.choices, required=False)


class PrivacyRequestView(ListModelMixin, RetrieveModelMixin, Resource):
    """What people asked for about their data, the first due first."""

    scope = "consent"
    queryset = PrivacyRequest.objects.select_related("profile").prefetch_related("steps")
    serializer_class = PrivacyRequestFields
    filters = PrivacyFilters
    lookup_value_regex = "[0-9a-fA-F-]{36}"
    order = ("due_on", "id")

    def narrowed(self, queryset: QuerySet, **asked: Any) -> QuerySet:
        if kind := asked.get("kind"):
            queryset = queryset.filter(kind=kind)
        return queryset.filter(in_status(asked["status"], requests.today(self.now))) if "status" in asked else queryset

    @extend_schema(responses={201: PrivacyRequestFields})
    def create(self, request: Request) -> Response:
        asked = self.taken()
        profile = find((asked.get("profile") or {}).get("external_id") or "")
        words = {"said": asked["said"], "identity": asked["identity"]}
        return self.shown(
            requests.raise_(profile, asked["kind"], via=PrivacyRequest.Via.API, now=self.now, **words), 201
        )

    @extend_schema(request=ChangeFields, responses={200: PrivacyRequestFields})
    def partial_update(self, request: Request, pk: str) -> Response:
        asked, row = self.taken(ChangeFields), self._find(pk)
        if set(asked) == {"identity"}:
            return self.shown(requests.note_identity(row.id, asked["identity"], now=self.now))
        if "extended" in asked and "outcome" not in asked:
            return self.shown(requests.extend(row.id, reason=asked["extended"], now=self.now))
        if "outcome" not in asked or "extended" in asked:
            raise Invalid.at("", "Send `extended`, or `identity`, or `outcome` and `answer`.")
        closed = requests.close(row.id, outcome=asked["outcome"], answer=asked.get("answer", ""), now=self.now)
        return self.shown(closed)

    @extend_schema(request=None, responses={200: PrivacyRequestFields}, description="Does what was asked for.")
    @action(detail=True, methods=["post"], url_path="carry-out")
    def carry_out(self, request: Request, pk: str) -> Response:
        return self.shown(requests.carry_out(self._find(pk).id, now=self.now))

    @extend_schema(
        request=LiftFields,
        responses={200: PrivacyRequestFields},
        description="Takes back the restriction or the objection that it set.",
    )
    @action(detail=True, methods=["post"])
    def lift(self, request: Request, pk: str) -> Response:
        return self.shown(requests.lift(self._find(pk).id, reason=self.taken(LiftFields)["reason"], now=self.now))

    def _find(self, pk: str) -> PrivacyRequest:
        try:
            return PrivacyRequest.objects.get(pk=pk)
        except (PrivacyRequest.DoesNotExist, ValueError) as error:
            raise Http404(f"There is no privacy request {pk!r}.") from error


def in_status(status: str, today: Any) -> Q:
    """Those that are in a status on this day; the same rule as `requests.status`."""
    match status:
        case "closed":
            return Q(closed_at__isnull=False)
        case "overdue":
            return Q(closed_at=None, due_on__lt=today)
        case "due_soon":
            return Q(closed_at=None, due_on__gte=today, due_on__lte=today + requests.SOON)
    return Q(closed_at=None, due_on__gt=today + requests.SOON)
