"""Journeys over the REST API: what they are, who is on them, and what staff may do with them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from foundation import wording
from foundation.errors import Conflict, Invalid
from foundation.rest import Fields, JSONObject, Moment, Text
from journeys import backtesting, explaining, following, publishing, resuming, simulating, starting, work
from journeys.api_people import OfPeople
from journeys.api_playing import BacktestFields, FoundFields, PlayedFields, SimulateFields, shown
from journeys.api_tests import OfTests
from journeys.models import Enrollment, EnrollmentState, Journey, Refusal, Task
from journeys.simulating import Deed
from profiles import people
from profiles.api import PROFILE, OfProfile
from profiles.models import Profile
from segments import api as segments_api
from staff.rest import Resource

_SLUG = r"[-\w]+"


class JourneyFields(Fields):
    slug = serializers.CharField(max_length=100)
    name = Text(max_length=200, required=False, help_text="By default the slug in words.")
    description = Text(required=False, allow_blank=True)
    document = JSONObject(source="latest", help_text="The draft, or what is published where there is none.")
    reason = Text(write_only=True, required=False, allow_blank=True, help_text="Why it is written, for its history.")
    status = serializers.ChoiceField(Journey.Status.choices, read_only=True)
    version = serializers.IntegerField(source="version.number", read_only=True, default=None, allow_null=True)
    has_draft = serializers.BooleanField(read_only=True, help_text="Whether the document is not published yet.")
    created_at = serializers.DateTimeField(read_only=True)


class JourneyFilters(Fields):
    status = serializers.ChoiceField(Journey.Status.choices, required=False)


class ChoiceFields(Fields):
    """What becomes of those who stand on a step."""

    step = Text(help_text="The step that they stand on.")
    version = serializers.IntegerField(required=False, help_text="Of this version alone.")
    do = serializers.ChoiceField(following.WAYS)
    to = Text(required=False, help_text="Where they are moved: a step of the new version.")


class GroupFields(Fields):
    version = serializers.IntegerField()
    step = serializers.CharField()
    name = serializers.CharField(help_text="What happens at the step.")
    people = serializers.IntegerField()
    change = serializers.CharField(help_text="What the new version means for them.")
    must_choose = serializers.BooleanField(help_text="Whether the plan has to say what becomes of them.")
    default = serializers.CharField(help_text="What becomes of them where the plan says nothing.")
    choices = serializers.ListField(child=serializers.ChoiceField(following.WAYS))


class PlanFields(Fields):
    groups = GroupFields(many=True)
    members = serializers.IntegerField(help_text="How many are in the trigger's segment, and could enter now.")


class PublishFields(Fields):
    plan = ChoiceFields(many=True, required=False, help_text="What becomes of those on the way, group by group.")
    include_members = serializers.BooleanField(
        required=False, default=False, help_text="Whether those in the trigger's segment enter now."
    )
    despite_tests = serializers.BooleanField(
        required=False, default=False, help_text="Publishes it although tests of it fail; say why as the reason."
    )
    reason = Text(required=False, allow_blank=True, default="")


class ReasonFields(Fields):
    reason = Text(required=False, allow_blank=True, default="")


class PauseFields(ReasonFields):
    queue = serializers.BooleanField(
        required=False, default=False, help_text="Whether who comes meanwhile enters when it is resumed."
    )


class ResumeFields(ReasonFields):
    how = serializers.ChoiceField(
        resuming.HOW,
        required=False,
        default=resuming.CATCH_UP,
        help_text="Late ones go on at a ramp, waits stood still, or what was missed is left out.",
    )
    shift = serializers.BooleanField(required=False, default=False, help_text="The same as how=shift.")


class StartFields(Fields):
    external_id = Text()
    context = JSONObject(required=False, help_text="What templates may use as `data`.")  # type: ignore[assignment]
    key = Text(required=False, max_length=200, help_text="The same key enters the same person once.")


class EnrollmentFields(Fields):
    id = serializers.UUIDField()
    journey = serializers.CharField(source="journey.slug")
    version = serializers.IntegerField(source="version.number")
    external_id = serializers.CharField(source="profile.external_id", allow_null=True)
    step = serializers.CharField()
    state = serializers.ChoiceField(EnrollmentState.choices)
    reason = serializers.CharField(help_text="Why it ended.")
    entered_at = serializers.DateTimeField()
    step_entered_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    converted_at = serializers.DateTimeField(allow_null=True, help_text="When they reached the goal.")


class EnrollmentFilters(Fields):
    state = serializers.ChoiceField(EnrollmentState.choices, required=False)


class RefusalFields(Fields):
    external_id = serializers.CharField(source="profile.external_id", allow_null=True)
    cause = serializers.ChoiceField(Refusal.Cause.choices)
    reason = serializers.CharField()
    times = serializers.IntegerField()
    at = serializers.DateTimeField()


def find(slug: str) -> Journey:
    journey = Journey.objects.select_related("version").filter(slug=slug).first()
    if journey is None:
        raise Http404(f"There is no journey {slug!r}.")
    return _with_document(journey)


def _with_document(journey: Any) -> Journey:
    draft = publishing.draft_of(journey)
    journey.has_draft = draft is not None
    journey.latest = draft.document if draft else journey.version.document
    found: Journey = journey
    return found


class JourneyView(OfPeople, OfTests, ListModelMixin, RetrieveModelMixin, Resource):
    scope = "journeys"
    asks = ("simulate", "backtest")
    queryset = Journey.objects.select_related("version")
    serializer_class = JourneyFields
    lookup_field = "slug"
    lookup_value_regex = _SLUG
    filters = JourneyFilters
    order = ("slug",)

    def narrowed(self, queryset: QuerySet, **asked: Any) -> QuerySet:
        return queryset.filter(**asked)

    def get_object(self) -> Journey:
        return find(self.kwargs["slug"])

    def get_serializer(self, *args: Any, many: bool = False, **kwargs: Any) -> Any:
        if many:
            args = ([_with_document(journey) for journey in args[0]], *args[1:])
        return super().get_serializer(*args, many=many, **kwargs)

    def create(self, request: Request) -> Response:
        values = self.taken()
        slug = values.pop("slug")
        with self.alone(slug):
            if Journey.objects.filter(slug=slug).exists():
                raise Conflict(f"There is a journey {slug!r} already; PUT or PATCH it.")
            return self._save(slug, {"name": wording.spoken(slug), **values}, 201)

    @extend_schema(responses={200: JourneyFields, 201: JourneyFields})
    def update(self, request: Request, slug: str) -> Response:
        values = {"name": wording.spoken(slug), "description": "", **self._values(slug)}
        with self.alone(slug):
            is_new = not Journey.objects.filter(slug=slug).exists()
            return self._save(slug, values, 201 if is_new else 200)

    def partial_update(self, request: Request, slug: str) -> Response:
        journey: Any = find(slug)
        before = {"name": journey.name, "description": journey.description, "latest": journey.latest}
        return self._save(slug, {**before, **self._values(slug, partial=True)})

    @extend_schema(request=ReasonFields, responses={204: None}, description="Deletes one that was never published.")
    def destroy(self, request: Request, slug: str) -> Response:
        find(slug)
        publishing.delete(slug, **self.taken(ReasonFields), now=self.now)
        return Response(status=204)

    @extend_schema(request=PublishFields, responses=JourneyFields)
    @action(detail=True, methods=["post"])
    def publish(self, request: Request, slug: str) -> Response:
        find(slug)
        publishing.publish(slug, **self.taken(PublishFields), now=self.now)
        return self.shown(find(slug))

    @extend_schema(responses={200: PlanFields})
    @action(detail=True, methods=["get"], url_path="publish/plan", pagination_class=None)
    def plan(self, request: Request, slug: str) -> Response:
        """Who is on the way, group by group, and what publishing the draft would mean for them."""
        find(slug)
        return Response(PlanFields(publishing.plan(slug)).data)

    @extend_schema(request=PauseFields, responses=JourneyFields)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, slug: str) -> Response:
        find(slug)
        publishing.pause(slug, **self.taken(PauseFields), now=self.now)
        return self.shown(find(slug))

    @extend_schema(request=ResumeFields, responses=JourneyFields)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, slug: str) -> Response:
        find(slug)
        publishing.resume(slug, **self.taken(ResumeFields), now=self.now)
        return self.shown(find(slug))

    @extend_schema(request=ReasonFields, responses=JourneyFields)
    @action(detail=True, methods=["post"])
    def stop(self, request: Request, slug: str) -> Response:
        find(slug)
        publishing.stop(slug, **self.taken(ReasonFields), now=self.now)
        return self.shown(find(slug))

    @extend_schema(request=StartFields, responses={201: EnrollmentFields})
    @action(detail=True, methods=["post"])
    def start(self, request: Request, slug: str) -> Response:
        journey, asked = find(slug), self.taken(StartFields)
        profile = people.find(asked["external_id"])
        if profile is None:
            raise Invalid.at("external_id", f"Nobody here has the external_id {asked['external_id']!r}.")
        entered = starting.start(
            journey, profile, by="api", context=asked.get("context"), key=asked.get("key", ""), now=self.now
        )
        return Response(EnrollmentFields(entered).data, 201)

    @extend_schema(request=SimulateFields, responses={200: PlayedFields})
    @action(detail=True, methods=["post"])
    def simulate(self, request: Request, slug: str) -> Response:
        """Plays one person through the document with a clock of its own. Nothing of it stays."""
        asked = self.taken(SimulateFields)
        at = asked.get("at") or self.now
        deeds = [Deed(one["name"], one["at"], one.get("properties") or {}) for one in asked.get("events") or []]
        played = simulating.simulate(
            slug,
            self._document(slug),
            person=_person(asked),
            deeds=deeds,
            start=asked.get("start", not deeds),
            context=asked.get("context"),
            at=at,
            until=at + timedelta(days=asked["days"]),
        )
        return Response(shown(PlayedFields, played))

    @extend_schema(request=BacktestFields, responses={200: FoundFields})
    @action(detail=True, methods=["post"])
    def backtest(self, request: Request, slug: str) -> Response:
        """Holds the document against what happened in the last days. Nothing is written."""
        asked = self.taken(BacktestFields)
        found = backtesting.backtest(slug, self._document(slug), days=asked["days"], now=self.now)
        return Response(shown(FoundFields, found))

    def _document(self, slug: str) -> Any:
        """As it was sent, else the draft, else what is published."""
        journey: Any = find(slug)
        sent: Any = self.request.data
        return sent["document"] if isinstance(sent, dict) and sent.get("document") is not None else journey.latest

    def _values(self, slug: str, *, partial: bool = False) -> dict[str, Any]:
        data = self.request.data
        if isinstance(data, dict):
            if data.get("slug", slug) != slug:
                raise Invalid.at("slug", "This is not the slug in the address, which cannot be changed.")
            data = {**data, "slug": slug}
        form = self.get_serializer(data=data, partial=partial)
        form.is_valid(raise_exception=True)
        values = dict(form.validated_data)
        del values["slug"]
        return values

    def _save(self, slug: str, values: dict[str, Any], status: int = 200) -> Response:
        # As it was sent: the fields of a serializer would make other numbers and texts of it.
        sent: Any = self.request.data
        document = sent.get("document", values.pop("latest"))
        publishing.save(slug, document=document, **values, now=self.now)
        return self.shown(find(slug), status)


def _person(asked: Mapping[str, Any]) -> Profile | Mapping[str, Any]:
    """Whom a simulation is about."""
    if ("external_id" in asked) == ("profile" in asked):
        raise Invalid.at("external_id", "Say who it is about: an external_id, or a profile that is made up.")
    if "profile" in asked:
        values: Mapping[str, Any] = asked["profile"]
        return values
    profile = people.find(asked["external_id"])
    if profile is None:
        raise Invalid.at("external_id", f"Nobody here has the external_id {asked['external_id']!r}.")
    return profile


class JourneyEnrollmentView(ListModelMixin, Resource):
    """Who is or was on a journey, and how it stands with them."""

    scope = "journeys"
    queryset = Enrollment.objects.select_related("journey", "version", "profile")
    serializer_class = EnrollmentFields
    filters = EnrollmentFilters
    order = ("id",)

    def get_queryset(self) -> QuerySet:
        return super().get_queryset().filter(journey=find(self.kwargs["slug"]))

    def narrowed(self, queryset: QuerySet, **asked: Any) -> QuerySet:
        return queryset.filter(**asked)


class JourneyRefusalView(ListModelMixin, Resource):
    """Who did not enter a journey, and why."""

    scope = "journeys"
    queryset = Refusal.objects.select_related("profile")
    serializer_class = RefusalFields
    order = ("id",)

    def get_queryset(self) -> QuerySet:
        return super().get_queryset().filter(journey=find(self.kwargs["slug"]))


class ProfileEnrollmentView(ListModelMixin, OfProfile):
    """The journeys that a person is or was on."""

    scope = "profiles"
    queryset = Enrollment.objects.select_related("journey", "version", "profile")
    serializer_class = EnrollmentFields
    filters = EnrollmentFilters
    order = ("id",)

    def get_queryset(self) -> QuerySet:
        return super().get_queryset().filter(profile=self.profile)

    def narrowed(self, queryset: QuerySet, **asked: Any) -> QuerySet:
        return queryset.filter(**asked)


class OutcomeFields(Fields):
    key = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]


class TaskFields(Fields):
    id = serializers.UUIDField(read_only=True)
    title = serializers.CharField(read_only=True)
    team = serializers.CharField(source="team.slug", read_only=True)
    external_id = serializers.CharField(source="profile.external_id", read_only=True, allow_null=True)
    details = serializers.CharField(read_only=True)
    journey = serializers.CharField(
        source="enrollment.journey.slug", read_only=True, default="", help_text="Empty: a message gave it."
    )
    step = serializers.CharField(read_only=True)
    state = serializers.ChoiceField(Task.State.choices, read_only=True)
    outcomes = OutcomeFields(many=True, read_only=True, help_text="What may come of it; empty: it is done or not.")
    outcome = Text(required=False, allow_blank=True, help_text="Finishes it: the key of one of its outcomes.")
    note = Text(required=False, allow_blank=True)
    created_at = serializers.DateTimeField(read_only=True)
    due_at = serializers.DateTimeField(read_only=True, allow_null=True)
    ended_at = serializers.DateTimeField(read_only=True, allow_null=True)
    ended_by = serializers.CharField(read_only=True)


class TaskFilters(Fields):
    state = serializers.ChoiceField(Task.State.choices, required=False)
    team = Text(required=False)
    external_id = Text(required=False)


class TaskView(ListModelMixin, RetrieveModelMixin, Resource):
    """Work that journeys gave to teams."""

    scope = "tasks"
    queryset = Task.objects.select_related("team", "profile", "enrollment__journey")
    serializer_class = TaskFields
    lookup_value_regex = "[0-9a-fA-F-]{36}"
    filters = TaskFilters
    order = ("created_at", "id")

    def narrowed(self, queryset: QuerySet, **asked: Any) -> QuerySet:
        places = {"team": "team__slug", "external_id": "profile__external_id"}
        return queryset.filter(**{places.get(name, name): value for name, value in asked.items()})

    def get_object(self) -> Task:
        try:
            found = self.get_queryset().filter(pk=UUID(self.kwargs["pk"])).first()
        except ValueError:
            found = None
        if found is None:
            raise Http404("There is no such task.")
        task: Task = found
        return task

    @extend_schema(description="Finishes it, with one of its outcomes where it has some.")
    def partial_update(self, request: Request, pk: str) -> Response:
        asked = self.taken()
        work.finish(self.get_object().pk, outcome=asked.get("outcome", ""), note=asked.get("note", ""), now=self.now)
        return self.shown(self.get_object())


class CheckFields(Fields):
    what = serializers.CharField()
    expected = serializers.CharField()
    found = serializers.CharField(allow_blank=True)
    holds = serializers.BooleanField(allow_null=True, help_text="Null where nothing hangs on it.")
    at = serializers.DateTimeField(allow_null=True)
    depth = serializers.IntegerField()


class JourneyExplanationFields(Fields):
    journey = serializers.CharField()
    entered = serializers.BooleanField()
    why = serializers.CharField(help_text="The whole in a sentence.")
    at = serializers.DateTimeField()
    checks = CheckFields(many=True)


class ExplainFilters(Fields):
    segment = Text(required=False, help_text="The slug of a segment: why they match it, or do not.")
    journey = Text(required=False, help_text="Or of a journey: why they are on it, or are not.")
    at = Moment(required=False, help_text="Of a segment: as of this moment; by default now.")


class ExplainView(segments_api.ExplainView):
    """Why a person matches a segment's definition, or is on a journey, or not, part by part."""

    @property
    def filters(self) -> type[Fields]:  # type: ignore[override]
        query = self.request.query_params if getattr(self, "request", None) else {}
        return segments_api.ExplainFilters if "segment" in query and "journey" not in query else ExplainFilters

    @extend_schema(
        operation_id="profiles_explain",
        parameters=[ExplainFilters],
        responses=PolymorphicProxySerializer(
            component_name="Explanations",
            serializers=[segments_api.ExplanationFields, JourneyExplanationFields],
            resource_type_field_name=None,
            many=False,
        ),
    )
    def list(self, request: Request, external_id: str) -> Response:
        asked = self.asked()
        if ("segment" in asked) == ("journey" in asked):
            raise Invalid.at("segment", "Name what is to be explained: a segment or a journey.")
        if "segment" in asked:
            return super().list(request, external_id)
        journey = find(asked["journey"])
        told = explaining.explain(self.profile, journey, now=self.now)
        shown = {"journey": journey.slug, "at": self.now}
        shown |= {"entered": told.entered, "why": told.why, "checks": told.checks}
        return Response(JourneyExplanationFields(shown).data)


ROUTES = [
    (f"{PROFILE}/explain", ExplainView, "profile-explain"),
    ("tasks", TaskView, "tasks"),
    ("journeys", JourneyView, "journeys"),
    (f"journeys/(?P<slug>{_SLUG})/enrollments", JourneyEnrollmentView, "journey-enrollments"),
    (f"journeys/(?P<slug>{_SLUG})/refusals", JourneyRefusalView, "journey-refusals"),
    (f"{PROFILE}/enrollments", ProfileEnrollmentView, "profile-enrollments"),
]
