"""People, companies, what they did and the data catalogue, over the REST API."""

from functools import cached_property
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from foundation import registry
from foundation.rest import EXTERNAL_ID, Fields, JSONObject, Text, bounded
from profiles import accounts, api_catalogue, api_webhooks, people
from profiles.models import Account, Claim, Event, EventType, Profile
from profiles.retention import CLAIMS_FOR
from staff.rest import Resource

PROFILE = f"profiles/(?P<external_id>{EXTERNAL_ID})"
_SECONDS = 15


def find(external_id: str) -> Profile:
    """The person whom the integrator means, also by the id of one who was merged into them. Raises `Http404`."""
    profile = people.find(external_id)
    if profile is None:
        raise Http404(f"Nobody here has the external_id {external_id!r}.")
    return profile


class OfProfile(Resource):
    """The base of what belongs to one person, `profiles/{external_id}/…`: `self.profile` is whom the address names."""

    @cached_property
    def profile(self) -> Profile:
        return find(self.kwargs["external_id"])


class ProfileFields(Fields):
    id = serializers.UUIDField(read_only=True)
    external_id = serializers.CharField(read_only=True, allow_null=True)
    email = Text(required=False, allow_null=True)
    phone = Text(required=False, allow_null=True)
    first_name = Text(required=False, allow_null=True)
    last_name = Text(required=False, allow_null=True)
    timezone = Text(required=False, allow_null=True)
    locale = Text(required=False, allow_null=True)
    created_at = serializers.DateTimeField(required=False, allow_null=True)
    attributes = JSONObject(required=False)
    account = Text(
        source="account.external_id", required=False, allow_null=True, help_text="The company's external_id."
    )
    first_seen_at = serializers.DateTimeField(read_only=True)
    last_seen_at = serializers.DateTimeField(read_only=True)
    preferences_url = serializers.SerializerMethodField(help_text="The person's own page; works for 90 days.")

    @extend_schema_field({"type": ["string", "null"], "format": "uri"})
    def get_preferences_url(self, profile: Profile) -> str | None:
        links: dict[str, str] = self.context["links"].get(profile.id, {})
        return links.get("preferences_url")


class ProfileFilters(Fields):
    email = Text(required=False, help_text="In capitals or not.")
    phone = Text(required=False)
    account = Text(required=False, help_text="The company's external_id.")
    seen_after = serializers.DateTimeField(required=False)


class ProfileView(ListModelMixin, RetrieveModelMixin, Resource):
    scope = "profiles"
    queryset = Profile.objects.select_related("account")
    serializer_class = ProfileFields
    lookup_field = "external_id"
    lookup_value_regex = EXTERNAL_ID
    filters = ProfileFilters
    order = ("id",)

    def narrowed(self, queryset: QuerySet, **asked: Any) -> QuerySet:
        places = {"account": "account__external_id", "seen_after": "last_seen_at__gt", "email": "email__iexact"}
        return queryset.filter(**{places.get(name, name): value for name, value in asked.items()})

    def get_object(self) -> Profile:
        return find(self.kwargs["external_id"])

    def get_serializer(self, *args: Any, many: bool = False, **kwargs: Any) -> Any:
        form = super().get_serializer(*args, many=many, **kwargs)
        rows = [] if not args else args[0] if many else [args[0]]
        links: Any = form.context
        links["links"] = _links(rows)
        return form

    @extend_schema(responses={200: ProfileFields, 201: ProfileFields})
    def update(self, request: Request, external_id: str) -> Response:
        profile, is_new = people.put(external_id, self.values("external_id"), now=self.now)
        return self.shown(profile, 201 if is_new else 200)

    def partial_update(self, request: Request, external_id: str) -> Response:
        find(external_id)
        return self.shown(people.patch(external_id, self.values("external_id"), now=self.now))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, external_id: str) -> Response:
        people.erase(find(external_id), now=self.now)
        return Response(status=204)


def _links(profiles: list[Profile]) -> dict[Any, dict[str, str]]:
    links: dict[Any, dict[str, str]] = {}
    for answer in registry.links.ask(profiles) if profiles else []:
        for key, more in answer.items():
            links.setdefault(key, {}).update(more)
    return links


class EventFields(Fields):
    message_id = serializers.CharField(read_only=True)
    external_id = serializers.CharField(source="profile.external_id", read_only=True, allow_null=True)
    profile = serializers.UUIDField(source="profile_id", read_only=True)
    name = serializers.CharField(source="type.name", read_only=True)
    properties = JSONObject(read_only=True)
    occurred_at = serializers.DateTimeField(read_only=True)
    received_at = serializers.DateTimeField(read_only=True)


class EventFilters(Fields):
    name = Text(required=False)
    since = serializers.DateTimeField(required=False, help_text="Occurred at this moment or later.")
    until = serializers.DateTimeField(required=False, help_text="Occurred before this moment.")


class AllEventFilters(EventFilters):
    external_id = Text(required=False, help_text="Whose events.")


class EventList(ListModelMixin, Resource):
    """Events, the newest first."""

    scope = "events"
    queryset = Event.objects.select_related("type", "profile")
    serializer_class = EventFields
    filters = EventFilters
    order = ("-occurred_at", "-id")

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with bounded(_SECONDS):
            return super().list(request, *args, **kwargs)

    def narrowed(self, queryset: QuerySet, **asked: Any) -> QuerySet:
        if (name := asked.pop("name", None)) is not None:
            # By its number, of which the database knows how rare it is.
            asked["type"] = list(EventType.objects.filter(name=name).values_list("id", flat=True))
        places = {
            "type": "type__in",
            "since": "occurred_at__gte",
            "until": "occurred_at__lt",
            "external_id": "profile__external_id",
        }
        return queryset.filter(**{places[name]: value for name, value in asked.items()})


class ProfileEventView(EventList, OfProfile):
    def get_queryset(self) -> QuerySet:
        return super().get_queryset().filter(profile=self.profile)


class EventView(EventList):
    filters = AllEventFilters
    lookup_field = "message_id"
    lookup_value_regex = EXTERNAL_ID

    def retrieve(self, request: Request, message_id: str) -> Response:
        with bounded(_SECONDS):
            event = self._find(message_id)
        if event is None:
            raise Http404(f"There is no event with the message id {message_id!r}.")
        return self.shown(event)

    def _find(self, message_id: str) -> Event | None:
        """Events lie in the order of their arrival, and the claim of a message id tells when that was."""
        claim = Claim.objects.filter(id=UUID(bytes=sha256(message_id.encode()).digest()[:16])).first()
        arrived = {"received_at": claim.received_at} if claim else {"received_at__lt": self.now - CLAIMS_FOR}
        found: Event | None = self.get_queryset().filter(message_id=message_id, **arrived).first()
        return found


class AccountFields(Fields):
    id = serializers.UUIDField(read_only=True)
    external_id = serializers.CharField(read_only=True)
    name = Text(required=False, allow_null=True)
    attributes = JSONObject(required=False)
    created_at = serializers.DateTimeField(read_only=True)


class AccountView(ListModelMixin, RetrieveModelMixin, Resource):
    scope = "accounts"
    queryset = Account.objects.all()
    serializer_class = AccountFields
    lookup_field = "external_id"
    lookup_value_regex = EXTERNAL_ID
    order = ("external_id",)

    def get_object(self) -> Account:
        account = self.queryset.filter(external_id=self.kwargs["external_id"]).first()
        if account is None:
            raise Http404(f"There is no company with the external_id {self.kwargs['external_id']!r}.")
        return account

    @extend_schema(responses={200: AccountFields, 201: AccountFields})
    def update(self, request: Request, external_id: str) -> Response:
        account, is_new = accounts.put(external_id, self.values("external_id"), now=self.now)
        return self.shown(account, 201 if is_new else 200)


ROUTES = [
    ("profiles", ProfileView, "profiles"),
    (f"{PROFILE}/events", ProfileEventView, "profile-events"),
    ("events", EventView, "events"),
    ("accounts", AccountView, "accounts"),
    *api_catalogue.ROUTES,
    *api_webhooks.ROUTES,
]
