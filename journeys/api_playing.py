"""What a document would do, over the REST API: for one person, and against what really happened. Nothing is written."""

from typing import Any

from rest_framework import serializers

from foundation.rest import Fields, JSONObject, Text
from journeys.models import EnrollmentState, Refusal, Transition


# ── One person ───────────────────────────────────────────────────────────────────────────────────────────────────────
class DeedFields(Fields):
    name = Text(max_length=255)
    at = serializers.DateTimeField()
    properties = JSONObject(required=False)


class SimulateFields(Fields):
    external_id = Text(required=False, help_text="Somebody as they are now.")
    profile = JSONObject(required=False, help_text="Or somebody made up: columns and `attributes`, as of profiles.")
    document = JSONObject(required=False, help_text="In place of the draft, or of what is published.")
    events = DeedFields(many=True, required=False, help_text="What they would do, at most 100.")
    start = serializers.BooleanField(
        required=False, help_text="Puts them on it at once; by default where no events are given."
    )
    context = JSONObject(required=False, help_text="With `start`: what templates may use as `data`.")  # type: ignore[assignment]
    at = serializers.DateTimeField(required=False, help_text="When it begins; by default now.")
    days = serializers.IntegerField(required=False, default=30, min_value=0, max_value=60)


class PlayedStepFields(Fields):
    at = serializers.DateTimeField()
    step = serializers.CharField()
    what = serializers.ChoiceField(Transition.Answer.choices)
    arm = serializers.CharField(allow_blank=True)
    why = serializers.CharField(allow_blank=True)


class PlayedMessageFields(Fields):
    at = serializers.DateTimeField()
    step = serializers.CharField()
    template = serializers.CharField()
    channel = serializers.CharField()
    state = serializers.CharField()
    why = serializers.CharField(allow_blank=True)


class PlayedTaskFields(Fields):
    at = serializers.DateTimeField()
    step = serializers.CharField()
    title = serializers.CharField()
    team = serializers.CharField()


class PlayedCallFields(Fields):
    at = serializers.DateTimeField()
    step = serializers.CharField()
    url = serializers.CharField()
    body = serializers.CharField(help_text="What would have been sent, as JSON.")


class PlayedRefusalFields(Fields):
    at = serializers.DateTimeField()
    cause = serializers.ChoiceField(Refusal.Cause.choices)
    why = serializers.CharField()


class PlayedFields(Fields):
    entered = serializers.BooleanField()
    state = serializers.ChoiceField(EnrollmentState.choices, allow_blank=True)
    reason = serializers.CharField(allow_blank=True, help_text="Why it ended.")
    converted_at = serializers.DateTimeField(allow_null=True, help_text="When they reached the goal.")
    until = serializers.DateTimeField(help_text="How far it was played.")
    happened = PlayedStepFields(many=True)
    messages = PlayedMessageFields(many=True)
    tasks = PlayedTaskFields(many=True)
    calls = PlayedCallFields(many=True, help_text="Webhooks; none is called, and none answers.")
    refusals = PlayedRefusalFields(many=True)
    cut = serializers.CharField(allow_blank=True, help_text="Why it was not played to its end.")


# ── Against what really happened ─────────────────────────────────────────────────────────────────────────────────────
class BacktestFields(Fields):
    days = serializers.IntegerField(required=False, default=14, min_value=1, max_value=90)
    document = JSONObject(required=False, help_text="In place of the draft, or of what is published.")


class RefusedFields(Fields):
    cause = serializers.ChoiceField(Refusal.Cause.choices)
    why = serializers.CharField()
    times = serializers.IntegerField()


class WouldEnterFields(Fields):
    external_id = serializers.CharField(allow_null=True)
    at = serializers.DateTimeField()
    why = serializers.CharField()


class ArmCountFields(Fields):
    step = serializers.CharField()
    arm = serializers.CharField()
    people = serializers.IntegerField()


class DayCountFields(Fields):
    day = serializers.DateField()
    channel = serializers.CharField()
    messages = serializers.IntegerField()


class MessageStepFields(Fields):
    step = serializers.CharField()
    channel = serializers.CharField()
    template = serializers.CharField()
    messages = serializers.IntegerField()
    converted_before = serializers.IntegerField(help_text="Who had reached the goal when it would have gone.")


class TracedStepFields(Fields):
    at = serializers.DateTimeField()
    step = serializers.CharField()
    arm = serializers.CharField(allow_blank=True)


class TracedFields(Fields):
    external_id = serializers.CharField(allow_null=True)
    entered_at = serializers.DateTimeField()
    state = serializers.ChoiceField(EnrollmentState.choices)
    converted_at = serializers.DateTimeField(allow_null=True)
    steps = TracedStepFields(many=True)


class FoundFields(Fields):
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    entered = serializers.IntegerField()
    people = serializers.IntegerField()
    converted = serializers.IntegerField()
    states = serializers.DictField(child=serializers.IntegerField())
    refused = RefusedFields(many=True)
    entries = WouldEnterFields(many=True)
    arms = ArmCountFields(many=True)
    messages = DayCountFields(many=True)
    steps = MessageStepFields(many=True)
    sample = TracedFields(many=True)
    as_of_then = serializers.ListField(child=serializers.CharField(), help_text="What was asked as it was.")
    as_of_now = serializers.ListField(child=serializers.CharField(), help_text="What was asked as it is today.")
    cut = serializers.ListField(child=serializers.CharField(), help_text="What was left out.")


def shown(fields: type[Fields], found: Any) -> dict[str, Any]:
    return dict(fields(found).data)
