"""Webhooks over the REST API: the addresses that are told what happens here, and what they were told."""

from typing import Any
from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from foundation import outgoing
from foundation.rest import Fields, Text
from profiles import endpoints, telling
from profiles.models import Delivery, Endpoint
from staff import scopes
from staff.rest import Resource


class WebhookFields(Fields):
    id = serializers.UUIDField(read_only=True)
    url = Text(max_length=2_000, help_text="Where it is told: a public address that begins with https://.")
    description = Text(max_length=200, required=False, allow_blank=True)
    kinds = serializers.ListField(
        child=serializers.ChoiceField(list(endpoints.KINDS)), required=False, help_text="What it is told; empty: all."
    )
    enabled = serializers.BooleanField(required=False)
    created_at = serializers.DateTimeField(read_only=True)
    secret = serializers.SerializerMethodField(
        help_text="What to verify signatures with; shown to keys that may write."
    )

    def get_secret(self, row: Endpoint) -> str | None:
        return outgoing.secrets()[-1] if self.context["view"].may_write else None


class DeliveryFields(Fields):
    id = serializers.UUIDField(read_only=True, help_text="The `webhook-id`, the same for every try.")
    kind = serializers.CharField(read_only=True)
    state = serializers.ChoiceField(Delivery.State.choices, read_only=True)
    tries = serializers.IntegerField(read_only=True)
    reason = serializers.CharField(read_only=True)
    at = serializers.DateTimeField(read_only=True)
    due_at = serializers.DateTimeField(read_only=True)
    ended_at = serializers.DateTimeField(read_only=True)


class WebhookView(ListModelMixin, RetrieveModelMixin, Resource):
    """Addresses of yours that are told what happens here, signed as Standard Webhooks says."""

    scope = "webhooks"
    queryset = Endpoint.objects.all()
    serializer_class = WebhookFields
    lookup_value_regex = "[0-9a-fA-F-]{36}"
    order = ("created_at", "id")

    @property
    def may_write(self) -> bool:
        return scopes.allow(self.key.scopes, "webhooks:write")

    @extend_schema(responses={201: WebhookFields})
    def create(self, request: Request) -> Response:
        return self.shown(endpoints.save(now=self.now, **self.taken()), 201)

    def partial_update(self, request: Request, pk: str) -> Response:
        return self.shown(endpoints.save(self._find(pk).pk, now=self.now, **self._named(request)))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        endpoints.remove(self._find(pk))
        return Response(status=204)

    @extend_schema(responses={200: DeliveryFields(many=True)}, description="What it was told of late: the last 100.")
    @action(detail=True, methods=["get"])
    def deliveries(self, request: Request, pk: str) -> Response:
        return Response(DeliveryFields(self._find(pk).deliveries.order_by("-at", "id")[:100], many=True).data)

    @extend_schema(
        request=None, responses={200: DeliveryFields}, description="Delivers it once more, under the same id."
    )
    @action(detail=True, methods=["post"], url_path=r"deliveries/(?P<delivery>[^/.]+)/redeliver")
    def redeliver(self, request: Request, pk: str, delivery: str) -> Response:
        row = self._find(pk).deliveries.filter(pk=_uuid(delivery)).first()
        if row is None:
            raise Http404(f"There is no delivery {delivery!r}.")
        return Response(DeliveryFields(telling.again(row.pk, now=self.now)).data)

    def _named(self, request: Request) -> dict[str, Any]:
        form = self.get_serializer(data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        return dict(form.validated_data)

    def _find(self, pk: str) -> Endpoint:
        row = Endpoint.objects.filter(pk=_uuid(pk)).first()
        if row is None:
            raise Http404(f"There is no webhook {pk!r}.")
        return row


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Http404(f"There is nothing under {text!r}.") from error


ROUTES = [("webhooks", WebhookView, "webhook")]
