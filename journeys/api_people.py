"""What staff and programs do with people on a journey, and how many there are, over the REST API."""

from datetime import date
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from foundation.errors import Invalid
from foundation.rest import Fields, Text
from journeys import moving, numbers
from journeys.models import EnrollmentState, Journey
from profiles import people


class ChosenFields(Fields):
    """Whom it is about: one person, some enrollments, or all who stand at a step."""

    external_id = Text(required=False)
    enrollments = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=moving.MOST)
    at_step = Text(required=False, help_text="All who stand at this step.")
    state = serializers.ChoiceField(
        [EnrollmentState.ACTIVE, EnrollmentState.FAILED], required=False, help_text="Of them, who is so."
    )
    reason = Text(required=False, allow_blank=True, default="", help_text="Why, for the story of each.")


class MoveFields(ChosenFields):
    step = Text(help_text="Where to.")


class DoneFields(Fields):
    done = serializers.IntegerField()
    skipped = serializers.IntegerField(help_text="With whom it could not be done.")
    why = serializers.CharField(help_text="Why not, of one of them.")


class NumbersFilters(Fields):
    version = serializers.IntegerField(required=False, min_value=1, help_text="Of this version alone.")
    since = serializers.DateField(required=False, help_text="Of those alone who entered on this day (UTC) or later.")


class ArmNumbersFields(Fields):
    passed = serializers.IntegerField()
    converted = serializers.IntegerField()


class StepNumbersFields(ArmNumbersFields):
    waiting = serializers.IntegerField()
    left = serializers.IntegerField()
    failed = serializers.IntegerField()
    arms = serializers.DictField(child=ArmNumbersFields())


class NumbersFields(Fields):
    entered = serializers.IntegerField()
    active = serializers.IntegerField()
    completed = serializers.IntegerField()
    exited = serializers.IntegerField()
    failed = serializers.IntegerField()
    converted = serializers.IntegerField()
    steps = serializers.DictField(child=StepNumbersFields())


class OfPeople:
    """The parts of the view of journeys that are about people."""

    now: Any
    taken: Any
    get_object: Any

    @extend_schema(request=MoveFields, responses={200: DoneFields})
    @action(detail=True, methods=["post"])
    def move(self, request: Request, slug: str) -> Response:
        """Puts people on a step; whoever was parked goes on there."""
        asked = self.taken(MoveFields)
        step, reason = asked.pop("step"), asked.pop("reason")
        found = moving.move(slug, _chosen(self.get_object(), asked), step=step, reason=reason, now=self.now)
        return Response(DoneFields(found).data)

    @extend_schema(request=ChosenFields, responses={200: DoneFields})
    @action(detail=True, methods=["post"])
    def exit(self, request: Request, slug: str) -> Response:
        """Takes people off the journey."""
        asked = self.taken(ChosenFields)
        reason = asked.pop("reason")
        return Response(
            DoneFields(moving.exit(slug, _chosen(self.get_object(), asked), reason=reason, now=self.now)).data
        )

    @extend_schema(request=ChosenFields, responses={200: DoneFields})
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, slug: str) -> Response:
        """Has those whose step went wrong try it again at once."""
        asked = self.taken(ChosenFields)
        reason = asked.pop("reason")
        return Response(
            DoneFields(moving.retry(slug, _chosen(self.get_object(), asked), reason=reason, now=self.now)).data
        )

    @extend_schema(parameters=[NumbersFilters], responses={200: NumbersFields})
    @action(detail=True, methods=["get"], pagination_class=None)
    def numbers(self, request: Request, slug: str) -> Response:
        """How many people stand at each step, passed it by which arm, and reached the goal after it."""
        journey: Journey = self.get_object()
        form = NumbersFilters(data=request.query_params)
        form.is_valid(raise_exception=True)
        asked: dict[str, Any] = dict(form.validated_data)
        version = None
        if "version" in asked:
            version = journey.versions.filter(number=asked["version"]).first()
            if version is None:
                raise Invalid.at("version", f"the journey {journey.name} has no version {asked['version']}")
        since: date | None = asked.get("since")
        return Response(NumbersFields(numbers.of(journey, version, since)).data)


def _chosen(journey: Journey, asked: dict[str, Any]) -> list[Any]:
    if sum(name in asked for name in ("external_id", "enrollments", "at_step")) != 1:
        raise Invalid.at("external_id", "say whom it is about: an external_id, enrollments, or at_step")
    profile = None
    if "external_id" in asked:
        profile = people.find(asked["external_id"])
        if profile is None:
            raise Invalid.at("external_id", f"Nobody here has the external_id {asked['external_id']!r}.")
    return moving.chosen(
        journey,
        step=asked.get("at_step", ""),
        state=asked.get("state", ""),
        profile=profile,
        ids=asked.get("enrollments", ()),
    )
