"""Topics, and what a person agreed to, over the REST API."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from consent import ledger, optins, receipts, states, topics
from consent.api_forms import SignupFormView
from consent.api_privacy import PrivacyRequestView
from consent.ledger import EVERYTHING, Choice
from consent.models import ConsentRecord, ConsentState, OptIn, State, Topic
from foundation.errors import Conflict, Invalid, Problem
from foundation.rest import Fields, JSONObject, Text
from profiles.api import PROFILE, OfProfile
from staff.rest import Resource

_CLOCKS_DIFFER = timedelta(minutes=5)


class TopicFields(Fields):
    slug = Text(max_length=50)
    name = Text(max_length=100)
    description = Text(help_text="What people get, in their words; they read it on their page.")
    purpose = Text(help_text="Why it is sent; they read that, too.")
    basis = serializers.ChoiceField(Topic.Basis.choices, required=False, default=Topic.Basis.CONSENT)
    default = serializers.BooleanField(required=False, default=False)
    transactional = serializers.BooleanField(
        required=False, default=False, help_text="Needed for what people use: goes on after they stop everything."
    )
    double_opt_in = serializers.BooleanField(
        required=False, default=False, help_text="A yes counts once the person confirmed it by the mail that they get."
    )
    valid_months = serializers.IntegerField(
        required=False,
        allow_null=True,
        default=None,
        min_value=1,
        max_value=topics.LONGEST_VALID,
        help_text="How many months a yes counts, from the day that it was said.",
    )
    min_age = serializers.IntegerField(
        required=False,
        allow_null=True,
        default=None,
        min_value=1,
        max_value=topics.OLDEST,
        help_text="From what age on. Whose age is unknown gets nothing.",
    )
    jurisdiction = serializers.ChoiceField(
        [("", "None"), *Topic.Jurisdiction.choices],
        required=False,
        default="",
        help_text="The country whose law its mails must keep to, too; templates that lack what it asks for are refused",
    )
    channels = serializers.ListField(child=Text(max_length=20), min_length=1)
    archived = serializers.BooleanField(read_only=True)
    reason = Text(
        write_only=True, required=False, allow_blank=True, help_text="Why it is written, for the audit trail."
    )


class TopicFilters(Fields):
    archived = serializers.BooleanField(required=False)


class ReasonFields(Fields):
    reason = Text(required=False, allow_blank=True)


class TopicView(ListModelMixin, RetrieveModelMixin, Resource):
    """The kinds of message that people can choose. Archived ones are listed with `?archived=true` only."""

    scope = "topics"
    queryset = Topic.objects.all()
    serializer_class = TopicFields
    filters = TopicFilters
    lookup_field = "slug"
    lookup_value_regex = r"[-\w]+"
    order = ("slug",)

    def narrowed(self, queryset: QuerySet, **asked: Any) -> QuerySet:
        return queryset.filter(archived=asked.get("archived", False))

    @extend_schema(responses={201: TopicFields})
    def create(self, request: Request) -> Response:
        values = self.taken()
        slug = values.pop("slug")
        with self.alone(slug):
            if Topic.objects.filter(slug=slug).exists():
                raise Conflict(f"There is a topic {slug!r} already; PUT or PATCH it.")
            return self.shown(topics.save(slug, now=self.now, **values), 201)

    @extend_schema(responses={200: TopicFields, 201: TopicFields})
    def update(self, request: Request, slug: str) -> Response:
        values = self._named(slug)
        with self.alone(slug):
            is_new = not Topic.objects.filter(slug=slug).exists()
            return self.shown(topics.save(slug, now=self.now, **values), 201 if is_new else 200)

    def partial_update(self, request: Request, slug: str) -> Response:
        before = self._find(slug)
        stands = {name: getattr(before, name) for name in topics.FIELDS}
        return self.shown(topics.save(slug, now=self.now, **(stands | self._named(slug, partial=True))))

    @extend_schema(request=ReasonFields, responses={204: None}, description="Archives it; what was decided stays.")
    def destroy(self, request: Request, slug: str) -> Response:
        topics.archive(self._find(slug), reason=self.taken(ReasonFields).get("reason", ""), now=self.now)
        return Response(status=204)

    def _named(self, slug: str, *, partial: bool = False) -> dict[str, Any]:
        """What the body sets; its slug, if it has one, must be that of the address."""
        data = self.request.data
        if isinstance(data, dict):
            if data.get("slug", slug) != slug:
                raise Invalid.at("slug", "This is not the slug in the address, which cannot be changed.")
            data = {**data, "slug": slug}
        form = self.get_serializer(data=data, partial=partial)
        form.is_valid(raise_exception=True)
        return {name: value for name, value in form.validated_data.items() if name != "slug"}

    def _find(self, slug: str) -> Topic:
        topic = Topic.objects.filter(slug=slug).first()
        if topic is None:
            raise Http404(f"There is no topic {slug!r}.")
        return topic


class EvidenceFields(Fields):
    """What proves that the person agreed: the words they were shown, and where and when they answered."""

    wording = Text(max_length=8_000, help_text="The text that was shown, word for word.")
    locale = Text(max_length=20, help_text="The language that it was shown in.")
    at = serializers.DateTimeField(help_text="When they agreed.")
    source = Text(max_length=200, help_text="Where: the form, the page, the call.")  # type: ignore[assignment]


class ImpliedFields(Fields):
    """What a yes that nobody said is implied by: it counts for 24 months after a purchase, 6 after an inquiry."""

    kind = serializers.ChoiceField(ConsentRecord.Implied.choices)
    event = Text(max_length=200, help_text="Which: the id of the order, or of the inquiry.")
    at = serializers.DateTimeField(help_text="When they bought or asked.")
    opt_out_offered = serializers.BooleanField(help_text="That they could say no when they gave their address.")


class AskedFields(Fields):
    """A yes that the person is to confirm by mail: no consent before that."""

    topic = Text(read_only=True)
    channel = Text(read_only=True)
    state = serializers.ChoiceField(["requested"], read_only=True)
    since = serializers.DateTimeField(read_only=True, help_text="When it was asked for first.")


class ConsentFields(Fields):
    topic = Text(max_length=50, help_text='The slug of a topic; "*" to refuse everything.')
    channel = Text(max_length=20, help_text='A channel of the topic; "*" with the topic "*" only.')
    state = serializers.ChoiceField(State.choices)
    since = serializers.DateTimeField(read_only=True)
    expires_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="Until when a yes counts, if that is sooner than its topic says."
    )
    implied_by = ImpliedFields(
        write_only=True,
        required=False,
        allow_null=True,
        help_text="Where nobody said yes, and a purchase or an inquiry stands for it.",
    )
    evidence = EvidenceFields(
        write_only=True, required=False, allow_null=True, help_text="Needed to turn a refusal into a consent."
    )

    def to_representation(self, instance: ConsentState) -> Any:
        now = self.context["view"].now
        if instance.state == State.GRANTED and instance.expires_at is not None and instance.expires_at <= now:
            instance.state, instance.since = State.EXPIRED, instance.expires_at
        return super().to_representation(instance)


class ConsentView(ListModelMixin, OfProfile):
    """What a person decided, by topic and channel; where nothing is listed, nothing was decided."""

    scope = "consent"
    queryset = ConsentState.objects.all()
    serializer_class = ConsentFields
    order = ("id",)

    def get_queryset(self) -> QuerySet:
        return super().get_queryset().filter(profile=self.profile)

    @extend_schema(responses={200: ConsentFields, 202: AskedFields})
    def put(self, request: Request, external_id: str) -> Response:
        asked = self.taken()
        choice = self._choice(**asked)
        if to_confirm := self._to_confirm(choice):
            return to_confirm
        try:
            outcome = ledger.record([choice], now=self.now)[0]
        except Invalid as refusal:
            raise Invalid([Problem(each.path.removeprefix("[0]."), each.reason) for each in refusal.problems]) from None
        # The attempt is on record by now; what is raised takes nothing back.
        if outcome.verdict == "refused":
            raise Conflict(outcome.reason)
        if outcome.verdict == "gone":
            raise Http404(outcome.reason)
        row = ConsentState.objects.get(profile=self.profile, topic=choice.topic, channel=choice.channel)
        return self.shown(row)

    def _to_confirm(self, choice: Choice) -> Response | None:
        """Where a yes is to be confirmed first: what was asked for. A no that stands takes evidence all the same."""
        stands = states.of([self.profile.id], choice.topic, choice.channel, now=self.now).get(self.profile.id)
        state = stands.state if stands else None
        if choice.state != State.GRANTED or state == State.GRANTED or choice.implied:
            return None
        if state == State.DENIED and not choice.evidence:
            return None  # the ledger refuses it
        if not Topic.objects.filter(slug=choice.topic, double_opt_in=True).exists():
            return None
        asked = optins.ask(
            self.profile,
            [optins.Wanted(choice.topic, choice.channel, choice.wording)],
            by=OptIn.By.API,
            locale=choice.locale,
            evidence=choice.evidence or {},
            now=self.now,
        )
        told = {"topic": choice.topic, "channel": choice.channel, "state": "requested", "since": asked.asked_at}
        return Response(AskedFields(told).data, status=202)

    def _choice(
        self,
        topic: str,
        channel: str,
        state: str,
        evidence: dict[str, Any] | None = None,
        expires_at: datetime | None = None,
        implied_by: dict[str, Any] | None = None,
    ) -> Choice:
        self._check(topic, channel)
        if implied_by:
            return self._implied(topic, channel, state, evidence, expires_at, **implied_by)
        proof = evidence or {}
        if proof and proof["at"] > self.now + _CLOCKS_DIFFER:
            raise Invalid.at("evidence.at", "This lies in the future; send the time at which they agreed.")
        return Choice(
            profile_id=self.profile.id,
            topic=topic,
            channel=channel,
            state=state,
            source=ConsentRecord.Source.API,
            occurred_at=proof.get("at"),
            wording=proof.get("wording", ""),
            locale=proof.get("locale", ""),
            evidence={"source": proof["source"], "at": proof["at"].isoformat()} if proof else None,
            expires_at=expires_at,
        )

    def _implied(
        self, topic: str, channel: str, state: str, evidence: object, expires_at: datetime | None, **by: Any
    ) -> Choice:
        if evidence:
            raise Invalid.at("evidence", "This goes with a yes that they said; leave it out, or leave out implied_by.")
        if by["at"] > self.now + _CLOCKS_DIFFER:
            raise Invalid.at("implied_by.at", "This lies in the future; send the time at which they bought or asked.")
        return Choice(
            profile_id=self.profile.id,
            topic=topic,
            channel=channel,
            state=state,
            source=ConsentRecord.Source.API,
            occurred_at=by["at"],
            evidence={"event": by["event"], "at": by["at"].isoformat(), "opt_out_offered": by["opt_out_offered"]},
            expires_at=expires_at,
            implied=by["kind"],
        )

    def _check(self, topic: str, channel: str) -> None:
        if topic == EVERYTHING:
            return
        found = Topic.objects.filter(slug=topic).first()
        if found is None:
            raise Invalid.at("topic", f"There is no topic {topic!r}; make it first, or name another.")
        if channel not in found.channels:
            raise Invalid.at("channel", f"{found.name} is sent by {', '.join(found.channels)}; name one of them.")


class ReceiptFields(Fields):
    """A receipt in the fields of ISO/IEC TS 27560; its JSON Schema is /static/consent/receipt.schema.json."""

    header = JSONObject(read_only=True)
    processing = serializers.ListField(child=JSONObject(), read_only=True)
    parties = serializers.ListField(child=JSONObject(), read_only=True)
    events = serializers.ListField(child=JSONObject(), read_only=True)


class ReceiptView(OfProfile):
    """Receipts of what a person decided, the newest first; all of them at once."""

    scope = "consent"
    queryset = ConsentState.objects.none()
    serializer_class = ReceiptFields
    pagination_class = None

    @extend_schema(responses={200: ReceiptFields(many=True)})
    def list(self, request: Request, external_id: str) -> Response:
        return Response(receipts.of(self.profile))


ROUTES = [
    ("topics", TopicView, "topic"),
    ("privacy-requests", PrivacyRequestView, "privacy-request"),
    ("signup-forms", SignupFormView, "signup-form"),
    (f"{PROFILE}/receipts", ReceiptView, "profile-receipts"),
    (f"{PROFILE}/consent", ConsentView, "profile-consent"),
]
