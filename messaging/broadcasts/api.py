"""Broadcasts over the REST API: written, looked at before they start, started, held and ended."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from foundation.rest import Fields, Text
from messaging.broadcasts import reach, running
from messaging.broadcasts.models import Broadcast
from messaging.broadcasts.running import Plan
from staff.rest import Resource


class CountFields(Fields):
    state = serializers.CharField()
    guardrail = serializers.CharField(help_text="What holds them back; empty: nothing.")
    messages = serializers.IntegerField()


class BroadcastFields(Fields):
    id = serializers.UUIDField(read_only=True)
    name = Text(max_length=200)
    segment = Text(source="segment.slug", help_text="Slug of the segment that it goes to.")
    template = Text(source="template.slug", help_text="Slug of the template.")
    send_at = serializers.DateTimeField(required=False, allow_null=True, help_text="Not before; null: at once.")
    local = serializers.BooleanField(
        required=False, help_text="At the time of day of `send_at`, as clocks where each person is read; false."
    )
    rate = serializers.IntegerField(
        required=False, allow_null=True, help_text="At most so many an hour; null: no limit."
    )
    state = serializers.ChoiceField(Broadcast.State.choices, read_only=True)
    note = serializers.CharField(read_only=True, help_text="Why it paused on its own.")
    audience = serializers.IntegerField(read_only=True, help_text="How many people it goes to, fixed when it started.")
    waiting = serializers.SerializerMethodField(help_text="How many of them have no message yet.")
    counts = serializers.SerializerMethodField(help_text="Its messages by state.")
    created_at = serializers.DateTimeField(read_only=True)
    started_at = serializers.DateTimeField(read_only=True, allow_null=True)
    paused_at = serializers.DateTimeField(read_only=True, allow_null=True)
    ended_at = serializers.DateTimeField(read_only=True, allow_null=True)

    def to_representation(self, row: Broadcast) -> dict[str, Any]:
        self._progress = running.progress(row)
        return super().to_representation(row)

    def get_waiting(self, row: Broadcast) -> int:
        return self._progress.waiting

    @extend_schema_field(CountFields(many=True))
    def get_counts(self, row: Broadcast) -> list[dict[str, Any]]:
        return [
            {"state": state, "guardrail": guardrail, "messages": n} for state, guardrail, n in self._progress.counts
        ]


class BroadcastFilters(Fields):
    state = serializers.ChoiceField(Broadcast.State.choices, required=False)


class HeldFields(Fields):
    guardrail = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    people = serializers.IntegerField()


class ReachFields(Fields):
    size = serializers.IntegerField(help_text="How many people are in the segment.")
    reached = serializers.IntegerField(help_text="How many of them would get it now.")
    exact = serializers.BooleanField(help_text="False: estimated from some of them.")
    held = HeldFields(many=True, help_text="What keeps the others from it.")


class BroadcastView(ListModelMixin, RetrieveModelMixin, Resource):
    scope = "messages"
    queryset = Broadcast.objects.select_related("segment", "template")
    serializer_class = BroadcastFields
    filters = BroadcastFilters
    order = ("-created_at", "-id")
    lookup_value_regex = r"[0-9a-fA-F-]{36}"

    def narrowed(self, queryset: QuerySet, **asked: Any) -> QuerySet:
        return queryset.filter(**asked)

    def retrieve(self, request: Request, pk: str) -> Response:
        return self.shown(self._find(pk))

    def create(self, request: Request) -> Response:
        return self.shown(running.save(None, _plan(self.taken()), now=self.now), 201)

    def update(self, request: Request, pk: str) -> Response:
        return self.shown(running.save(self._find(pk).id, _plan(self.taken()), now=self.now))

    def partial_update(self, request: Request, pk: str) -> Response:
        row = self._find(pk)
        before = {
            "name": row.name,
            "segment": {"slug": row.segment.slug},
            "template": {"slug": row.template.slug},
            "send_at": row.send_at,
            "local": row.local,
            "rate": row.rate,
        }
        return self.shown(running.save(row.id, _plan({**before, **self.taken(partial=True)}), now=self.now))

    @extend_schema(request=None, responses={204: None}, description="Throws a draft away; 409 once it was started.")
    def destroy(self, request: Request, pk: str) -> Response:
        running.delete(self._find(pk).id, now=self.now)
        return Response(status=204)

    @extend_schema(request=None, description="Fixes the audience and begins; 409 unless it is a draft.")
    @action(detail=True, methods=["post"])
    def start(self, request: Request, pk: str) -> Response:
        running.start(self._find(pk).id, now=self.now)
        return self.shown(self._find(pk))

    @extend_schema(request=None, description="Holds back what is not being sent yet; 409 unless it is under way.")
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        running.pause(self._find(pk).id, now=self.now)
        return self.shown(self._find(pk))

    @extend_schema(request=None, description="Goes on; 409 unless it is paused.")
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        running.resume(self._find(pk).id, now=self.now)
        return self.shown(self._find(pk))

    @extend_schema(request=None, description="Ends it: who has not got it does not get it. 409 once it is over.")
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        running.cancel(self._find(pk).id, now=self.now)
        return self.shown(self._find(pk))

    @extend_schema(responses={200: ReachFields}, description="How many it would reach now, and why not others.")
    @action(detail=True, methods=["get"], pagination_class=None)
    def reach(self, request: Request, pk: str) -> Response:
        row = self._find(pk)
        found = reach.of(row.segment, row.template, self.now)
        held = [{"guardrail": key, "label": label, "people": n} for key, label, n in found.held]
        return Response({"size": found.size, "reached": found.reached, "exact": found.exact, "held": held})

    def _find(self, pk: str) -> Broadcast:
        try:
            found: Broadcast | None = self.get_queryset().filter(id=UUID(pk)).first()
        except ValueError:
            found = None
        if found is None:
            raise Http404(f"There is no broadcast {pk!r}.")
        return found


def _plan(values: dict[str, Any]) -> Plan:
    return Plan(
        name=values["name"],
        segment=values["segment"]["slug"],
        template=values["template"]["slug"],
        send_at=values.get("send_at"),
        local=values.get("local", False),
        rate=values.get("rate"),
    )


ROUTES = [("broadcasts", BroadcastView, "broadcasts")]
