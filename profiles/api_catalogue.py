"""The data catalogue over the REST API: the names of events and values, and what staff decided about them."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from foundation.errors import Invalid, Problem
from foundation.rest import EXTERNAL_ID, Fields, JSONObject, Text
from profiles import catalogue
from profiles.calls import MAX_NAME_CHARACTERS
from profiles.models import AttributeType, EventType
from staff.rest import Resource, member

_DECIDE = {EventType.Status.APPROVED: catalogue.approve, EventType.Status.BLOCKED: catalogue.block}


class EventTypeFields(Fields):
    name = serializers.CharField(read_only=True)
    status = serializers.ChoiceField(EventType.Status.choices, required=False)
    description = Text(required=False, allow_blank=True, default="")
    owner = Text(source="owner.username", required=False, allow_null=True, default=None, help_text="A user name.")
    required = serializers.ListField(  # type: ignore[assignment]
        child=Text(max_length=MAX_NAME_CHARACTERS),
        required=False,
        default=list,
        max_length=100,
        help_text="Properties without which it is refused.",
    )
    renamed_to = Text(source="renamed_to.name", required=False, allow_null=True, help_text="Its name today.")
    properties = JSONObject(read_only=True, help_text="Per property: the types seen and sample values.")
    volume = serializers.IntegerField(read_only=True)
    volume_30_days = serializers.IntegerField(read_only=True)
    first_seen_at = serializers.DateTimeField(read_only=True)
    last_seen_at = serializers.DateTimeField(read_only=True)


class AttributeTypeFields(Fields):
    of = serializers.ChoiceField(AttributeType.Of.choices, read_only=True)
    name = serializers.CharField(read_only=True)
    status = serializers.ChoiceField(EventType.Status.choices, required=False)
    description = Text(required=False, allow_blank=True, default="")
    owner = Text(source="owner.username", required=False, allow_null=True, default=None, help_text="A user name.")
    types = serializers.ListField(child=serializers.CharField(), read_only=True)
    samples = serializers.ListField(read_only=True)
    volume = serializers.IntegerField(read_only=True, help_text="How many have it.")
    first_seen_at = serializers.DateTimeField(read_only=True)
    last_seen_at = serializers.DateTimeField(read_only=True)


class CatalogueFilters(Fields):
    status = serializers.ChoiceField(EventType.Status.choices, required=False)


class AttributeFilters(CatalogueFilters):
    of = serializers.ChoiceField(AttributeType.Of.choices, required=False)


class CatalogueView(RetrieveModelMixin, Resource):
    scope = "catalogue"
    lookup_field = "name"
    lookup_value_regex = EXTERNAL_ID

    def get_object(self) -> Any:
        row = self.get_queryset().filter(name=self.kwargs["name"]).first()
        if row is None:
            raise Http404(f"The catalogue knows nothing that is called {self.kwargs['name']!r}.")
        return row

    def _write(self, row: Any) -> dict[str, Any]:
        """Says of the row what the body says; what it leaves out is emptied, but its status stays as it is."""
        values = self.taken()
        said = {"description": values["description"], "owner": member(values["owner"]["username"])}
        if "required" in values:
            said["required"] = list(dict.fromkeys(values["required"]))
        # What stays as it is is not said again: of Cairn's own events some things cannot be changed.
        changed = {name: value for name, value in said.items() if getattr(row, name) != value}
        if changed:
            catalogue.describe(row, now=self.now, **changed)
        status = values.get("status", row.status)
        if status != row.status:
            if status not in _DECIDE:
                raise Invalid.at("status", "What was decided cannot become new again: approve or block it.")
            _DECIDE[status](row, now=self.now)
        return values


class EventTypeView(ListModelMixin, CatalogueView):
    queryset = EventType.objects.select_related("owner", "renamed_to")
    serializer_class = EventTypeFields
    filters = CatalogueFilters
    order = ("name",)

    def narrowed(self, queryset: QuerySet, **asked: Any) -> QuerySet:
        return queryset.filter(**asked)

    @extend_schema(
        responses={200: EventTypeFields, 201: EventTypeFields},
        description="A name that nobody has sent yet is made, so that it can be described or renamed beforehand.",
    )
    def update(self, request: Request, name: str) -> Response:
        with transaction.atomic():
            row = self.get_queryset().filter(name=name).first()
            is_new = row is None
            if row is None:
                _check_name(name)
                row = self.get_queryset().get(pk=catalogue.intern([name], now=self.now)[name])
            values = self._write(row)
            to = values["renamed_to"]["name"] if "renamed_to" in values else None
            if to is not None and (row.renamed_to is None or row.renamed_to.name != to):
                _rename(row, to, self.now)
        return self.shown(self.get_object(), 201 if is_new else 200)


class AttributeTypeView(CatalogueView):
    queryset = AttributeType.objects.select_related("owner")
    serializer_class = AttributeTypeFields

    def get_queryset(self) -> QuerySet:
        return super().get_queryset().filter(of=self.kwargs["of"])

    def update(self, request: Request, of: str, name: str) -> Response:
        with transaction.atomic():
            self._write(self.get_object())
        return self.shown(self.get_object())


class AllAttributeTypeView(ListModelMixin, Resource):
    """The names of all values, of people and of companies."""

    scope = "catalogue"
    queryset = AttributeType.objects.select_related("owner")
    serializer_class = AttributeTypeFields
    filters = AttributeFilters
    order = ("id",)

    def narrowed(self, queryset: QuerySet, **asked: Any) -> QuerySet:
        return queryset.filter(**asked)


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > MAX_NAME_CHARACTERS or not name.isprintable() or name.startswith("$"):
        reason = (
            f"An event has a name of up to {MAX_NAME_CHARACTERS} characters on one line, which does not begin with $."
        )
        raise Invalid.at("name", reason)


def _rename(row: EventType, to: str, now: Any) -> None:
    try:
        catalogue.rename(row, to, now=now)
    except Invalid as refusal:
        raise Invalid([Problem("renamed_to", problem.reason) for problem in refusal.problems]) from None


ROUTES = [
    ("catalogue/events", EventTypeView, "catalogue-events"),
    ("catalogue/attributes/(?P<of>[a-z]+)", AttributeTypeView, "catalogue-attributes-of"),
    ("catalogue/attributes", AllAttributeTypeView, "catalogue-attributes"),
]
