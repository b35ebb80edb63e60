"""Templates and messages over the REST API: what can be said, saying it to one person, and what became of it."""

from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from foundation import wording
from foundation.errors import Conflict, Invalid, Problem
from foundation.rest import Fields, JSONObject, Text
from messaging import api_channels, outbox, templates
from messaging.broadcasts import api as broadcasts
from messaging.models import Message, MessageState, Template
from profiles.api import PROFILE, OfProfile
from profiles.models import Profile
from staff.rest import Resource

_SLUG = r"[-\w]+"


class TranslationFields(Fields):
    subject = Text(required=False, allow_blank=True)
    blocks = serializers.ListField(child=JSONObject())


class TemplateFields(Fields):
    slug = serializers.CharField(max_length=100)
    name = Text(max_length=200, required=False, help_text="By default the slug in words.")
    channel = Text(max_length=20)
    topic = Text(source="topic.slug", help_text="Slug of its topic.")
    subject = Text(
        source="version.subject",
        required=False,
        allow_blank=True,
        help_text="May hold Liquid. Empty by channels that say nothing but the text, such as sms.",
    )
    blocks = serializers.ListField(
        source="version.blocks", child=JSONObject(), help_text="What it is built of; docs/messages.md lists the kinds."
    )
    options = JSONObject(
        source="version.options",
        required=False,
        help_text="What its channel offers beside, such as `look` in the app; left out, they stay as they are.",
    )
    translations = serializers.DictField(
        source="version.said_in_others",
        child=TranslationFields(),
        required=False,
        help_text="What it says in other languages, by tag such as de or pt-br; left out, they stay as they are.",
    )
    reason = Text(write_only=True, required=False, allow_blank=True, help_text="Why it is written, for its history.")
    version = serializers.IntegerField(source="version.number", read_only=True)
    archived = serializers.BooleanField(read_only=True)
    created_at = serializers.DateTimeField(source="version.created_at", read_only=True, help_text="Of this version.")


class TemplateFilters(Fields):
    channel = Text(required=False)
    topic = Text(required=False)
    archived = serializers.BooleanField(required=False, default=False)


class ReasonFields(Fields):
    reason = Text(required=False, allow_blank=True)


class TemplateView(ListModelMixin, RetrieveModelMixin, Resource):
    scope = "templates"
    queryset = Template.objects.select_related("topic", "version").filter(version__isnull=False, one_off=False)
    serializer_class = TemplateFields
    lookup_field = "slug"
    lookup_value_regex = _SLUG
    filters = TemplateFilters
    order = ("slug",)

    def narrowed(self, queryset: QuerySet, **asked: Any) -> QuerySet:
        return queryset.filter(**{"topic__slug" if name == "topic" else name: value for name, value in asked.items()})

    def create(self, request: Request) -> Response:
        values = _flat(self.taken())
        slug = values.pop("slug")
        with self.alone(slug):
            if Template.objects.filter(slug=slug).exists():
                raise Conflict(f"There is a template {slug!r} already; PUT or PATCH it.")
            return self._saved(slug, {"name": wording.spoken(slug), "subject": "", **values}, 201)

    @extend_schema(responses={200: TemplateFields, 201: TemplateFields})
    def update(self, request: Request, slug: str) -> Response:
        values = {"name": wording.spoken(slug), "subject": "", **_flat(self.replaced())}
        with self.alone(slug):
            is_new = not Template.objects.filter(slug=slug).exists()
            return self._saved(slug, values, 201 if is_new else 200)

    def partial_update(self, request: Request, slug: str) -> Response:
        found = find(slug)
        before = {
            "name": found.name,
            "channel": found.channel,
            "topic": found.topic.slug,
            "subject": found.version.subject if found.version else "",
            "blocks": found.version.blocks if found.version else [],
        }
        return self._saved(slug, {**before, **_flat(self.replaced(partial=True))}, 200)

    @extend_schema(request=ReasonFields, responses={204: None}, description="Takes it out of use; 409 while used.")
    def destroy(self, request: Request, slug: str) -> Response:
        find(slug)
        templates.archive(slug, reason=self.taken(ReasonFields).get("reason", ""), now=self.now)
        return Response(status=204)

    def _saved(self, slug: str, values: dict[str, Any], status: int) -> Response:
        templates.save(slug, now=self.now, **values)
        return self.shown(find(slug), status)


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    """As the domain wants it: what hangs under the version and the topic beside the rest."""
    nested = {**values.pop("version", {})}
    if "said_in_others" in nested:
        nested["translations"] = nested.pop("said_in_others")
    if "topic" in values:
        nested["topic"] = values.pop("topic")["slug"]
    return {**values, **nested}


def find(slug: str) -> Template:
    found = TemplateView.queryset.filter(slug=slug).first()
    if found is None:
        raise Http404(f"There is no template {slug!r}.")
    return found


class ContentFields(Fields):
    subject = Text(required=False, allow_blank=True, default="")
    blocks = serializers.ListField(child=JSONObject())
    options = JSONObject(required=False)


class MessageFields(Fields):
    id = serializers.UUIDField(read_only=True)
    external_id = serializers.CharField(source="profile.external_id", read_only=True, default=None, allow_null=True)
    topic = serializers.CharField(source="topic.slug", read_only=True)
    channel = serializers.CharField(read_only=True)
    template = serializers.SerializerMethodField(help_text="Its slug; null for content that was sent without one.")
    version = serializers.IntegerField(source="version.number", read_only=True, default=None, allow_null=True)
    journey = serializers.CharField(read_only=True)
    step = serializers.CharField(read_only=True)
    variant = serializers.CharField(read_only=True)
    state = serializers.ChoiceField(MessageState.choices, read_only=True)
    reason = serializers.CharField(read_only=True, help_text="Why it is in this state, in a sentence.")
    guardrail = serializers.CharField(read_only=True, help_text="What held it back; empty: nothing.")
    evidence = JSONObject(read_only=True)
    address = serializers.CharField(read_only=True)
    subject = serializers.CharField(read_only=True)
    text = serializers.CharField(read_only=True)
    attempts = serializers.IntegerField(read_only=True)
    queued_at = serializers.DateTimeField(read_only=True)
    due_at = serializers.DateTimeField(read_only=True)
    expires_at = serializers.DateTimeField(read_only=True, allow_null=True)
    sent_at = serializers.DateTimeField(read_only=True, allow_null=True)
    ended_at = serializers.DateTimeField(read_only=True, allow_null=True)

    def get_template(self, message: Message) -> str | None:
        return None if message.template.one_off else message.template.slug


class SendFields(Fields):
    external_id = Text(help_text="Whom it is for.")
    channel = Text(required=False, help_text="By default the template's, else email.")
    topic = Text(required=False, help_text="By default the template's; content must name one.")
    template = Text(required=False)
    content = ContentFields(required=False, help_text="What to say, in place of a template.")
    event = JSONObject(required=False, help_text="What the template may use as `event`.")
    data = JSONObject(required=False, help_text="What the template may use as `data`.")  # type: ignore[assignment]
    expires_at = serializers.DateTimeField(required=False, help_text="After this it is stale and never sent.")
    priority = serializers.IntegerField(
        required=False, min_value=-100, max_value=100, help_text="Where a cap leaves one place, the higher gets it; 0."
    )


class MessageFilters(Fields):
    state = serializers.ChoiceField(MessageState.choices, required=False)
    channel = Text(required=False)
    topic = Text(required=False)
    template = Text(required=False)
    journey = Text(required=False)
    external_id = Text(required=False)


_PLACES = {"topic": "topic__slug", "template": "template__slug", "external_id": "profile__external_id"}


class MessageList(ListModelMixin, Resource):
    queryset = Message.objects.select_related("profile", "topic", "template", "version")
    serializer_class = MessageFields
    filters = MessageFilters
    order = ("-queued_at", "-id")

    def narrowed(self, queryset: QuerySet, **asked: Any) -> QuerySet:
        return queryset.filter(**{_PLACES.get(name, name): value for name, value in asked.items()})


class MessageView(RetrieveModelMixin, MessageList):
    scope = "messages"
    lookup_value_regex = r"[0-9a-fA-F-]{36}"

    def retrieve(self, request: Request, pk: str) -> Response:
        return self.shown(self._find(pk))

    @extend_schema(request=SendFields, responses={201: MessageFields})
    def create(self, request: Request) -> Response:
        asked = self.taken(SendFields)
        with transaction.atomic():
            template, profile = self._template(asked), _recipient(asked["external_id"])
            (id,) = outbox.enqueue(
                [
                    outbox.Request(
                        key=f"api:{uuid4()}",
                        profile_id=profile.id,
                        template=template.slug,
                        channel=template.channel,
                        context={name: asked[name] for name in ("event", "data") if name in asked},
                        expires_at=asked.get("expires_at"),
                        priority=asked.get("priority", 0),
                    )
                ],
                now=self.now,
            )
        return self.shown(self._find(str(id)), 201)

    def _template(self, asked: dict[str, Any]) -> Template:
        """The template that is named, or what is said in place of one; both agree with the topic and the channel."""
        if ("template" in asked) == ("content" in asked):
            raise Invalid.at("template", "Name a template, or send content: one of the two.")
        if "content" in asked:
            if "topic" not in asked:
                raise Invalid.at("topic", "Name the topic of this content: people agree to topics.")
            return _of_content(asked, self.now)
        template = Template.objects.select_related("topic").filter(slug=asked["template"], archived=False).first()
        if template is None or template.one_off:
            raise Invalid.at("template", f"There is no template {asked['template']!r}.")
        wrong = [
            Problem(name, f"The template {template.slug} is {of} {its}; leave this out, or name another template.")
            for name, of, its in (("topic", "of the topic", template.topic.slug), ("channel", "for", template.channel))
            if asked.get(name, its) != its
        ]
        if wrong:
            raise Invalid(wrong)
        return template

    def _find(self, pk: str) -> Message:
        try:
            found: Message | None = self.get_queryset().filter(id=UUID(pk)).first()
        except ValueError:
            found = None
        if found is None:
            raise Http404(f"There is no message {pk!r}.")
        return found


def _of_content(asked: dict[str, Any], now: Any) -> Template:
    content = asked["content"]
    try:
        return templates.of_content(
            channel=asked.get("channel", "email"),
            topic=asked["topic"],
            subject=content["subject"],
            blocks=content["blocks"],
            options=content.get("options"),
            now=now,
        )
    except Invalid as refusal:
        within = ("subject", "blocks", "options")
        raise Invalid(
            [Problem(f"content.{p.path}" if p.path.startswith(within) else p.path, p.reason) for p in refusal.problems]
        ) from None


def _recipient(external_id: str) -> Profile:
    # Held, so that nobody erases or merges them while we queue.
    found = (
        Profile.objects.select_for_update(no_key=True).filter(external_id=external_id).first() if external_id else None
    )
    if found is None:
        raise Invalid.at("external_id", f"Nobody here has the external_id {external_id!r}.")
    return found


class ProfileMessageView(MessageList, OfProfile):
    """What was said to a person, and what became of it."""

    scope = "profiles"

    def get_queryset(self) -> QuerySet:
        return super().get_queryset().filter(profile=self.profile)


ROUTES = [
    ("templates", TemplateView, "templates"),
    ("messages", MessageView, "messages"),
    (f"{PROFILE}/messages", ProfileMessageView, "profile-messages"),
    *broadcasts.ROUTES,
    *api_channels.ROUTES,
]
