"""The tests of a journey over the REST API: what they are, and what comes of them now."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from foundation.rest import Fields, JSONObject, Text
from journeys.models import Journey
from journeys.testing import keeping, running
from journeys.testing.models import JourneyTest


class ActFields(Fields):
    does = Text(required=False, max_length=255, help_text="The name of an event that they do.")
    properties = JSONObject(required=False)
    wait = serializers.DictField(
        child=serializers.IntegerField(min_value=0), required=False, help_text="Or a length of time that passes."
    )
    until = serializers.DateTimeField(required=False, help_text="Or the moment until which time passes.")
    enters = serializers.BooleanField(required=False, help_text="Or they are put on it, whatever starts it.")
    answers = Text(required=False, help_text="Or the step of a task that a team does.")
    outcome = Text(required=False)
    becomes = JSONObject(required=False, help_text="Or values of theirs that change.")


class ExpectedMessageFields(Fields):
    step = Text()
    after = serializers.DictField(
        child=serializers.IntegerField(min_value=0), required=False, help_text="How long after the beginning."
    )
    subject = Text(required=False)


class ExpectedFields(Fields):
    way = serializers.ListField(child=Text(), required=False, help_text="Steps that they take: step, or step/way.")
    messages = ExpectedMessageFields(many=True, required=False)
    state = Text(required=False)
    step = Text(required=False, help_text="Where they stand.")
    goal = serializers.BooleanField(required=False)


class TestFields(Fields):
    name = Text(max_length=200, help_text="Of tests with the same name there is one.")
    person = JSONObject(required=False, help_text="Somebody made up: columns and `attributes`, as of profiles.")
    at = serializers.DateTimeField(required=False, help_text="When it begins.")
    draws = serializers.DictField(child=Text(), required=False, help_text="The way that they get at each split.")
    acts = ActFields(many=True, required=False)
    expect = ExpectedFields(help_text="What is to come of it; only what it speaks of is compared.")


class KeptTestFields(TestFields):
    result = serializers.ChoiceField(JourneyTest.Result.choices, allow_blank=True)
    ran_at = serializers.DateTimeField(allow_null=True)
    why = serializers.ListField(child=serializers.CharField(), help_text="What differed when it ran last.")


class TestNameFields(Fields):
    name = Text(max_length=200)


class RunFields(Fields):
    document = JSONObject(required=False, help_text="In place of the draft, or of what is published.")


class ResultFields(Fields):
    name = serializers.CharField()
    passed = serializers.BooleanField()
    why = serializers.ListField(
        child=serializers.CharField(), source="differences", help_text="What differs: - expected, + found."
    )


class ResultsFields(Fields):
    passed = serializers.BooleanField(help_text="Whether all of them passed.")
    tests = ResultFields(many=True)


class OfTests:
    """The parts of the view of journeys that are about their tests."""

    now: Any
    taken: Any
    get_object: Any
    request: Any

    @extend_schema(responses={200: KeptTestFields(many=True)})
    @action(detail=True, methods=["get"], pagination_class=None)
    def tests(self, request: Request, slug: str) -> Response:
        """What it is tested by, and what came of that last."""
        return Response([_shown(test) for test in keeping.of(self.get_object())])

    @extend_schema(request=TestFields, responses={200: KeptTestFields, 201: KeptTestFields})
    @tests.mapping.post
    def keep_test(self, request: Request, slug: str) -> Response:
        """Keeps a test under its name, in place of one that is there."""
        self.taken(TestFields)
        journey, row = self.get_object(), keeping.read_row(self.request.data, "")
        before = JourneyTest.objects.filter(journey=journey, name=row["name"]).exists()
        [test] = keeping.take(journey, [row], now=self.now)
        return Response(_shown(test), 200 if before else 201)

    @extend_schema(request=TestNameFields, responses={204: None})
    @tests.mapping.delete
    def drop_test(self, request: Request, slug: str) -> Response:
        """Deletes the test of that name."""
        keeping.delete(keeping.get(self.get_object(), self.taken(TestNameFields)["name"]))
        return Response(status=204)

    @extend_schema(request=RunFields, responses={200: ResultsFields})
    @action(detail=True, methods=["post"], url_path="tests/run")
    def run_tests(self, request: Request, slug: str) -> Response:
        """Plays its tests against the draft, or what is published, or the document that is sent."""
        sent = self.taken(RunFields).get("document")
        journey: Journey = self.get_object()
        if sent is None:
            results = keeping.run(journey, journey.latest, now=self.now)  # type: ignore[attr-defined]
        else:
            tests = keeping.of(journey)
            results = [
                result for _, result in running.run_all(slug, self.request.data["document"], tests, now=self.now)
            ]
        return Response(ResultsFields({"passed": all(one.passed for one in results), "tests": results}).data)


def _shown(test: JourneyTest) -> dict[str, Any]:
    kept = {"result": test.result, "ran_at": test.ran_at, "why": test.why.splitlines()}
    return {**keeping.as_row(test), **kept}
