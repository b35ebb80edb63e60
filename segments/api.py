"""Segments over the REST API: what they are, who is in them, and who would be."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.helpers import forced_singular_serializer
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from foundation import wording
from foundation.errors import Conflict, Invalid, Problem
from foundation.rest import Fields, JSONObject, Moment, Text, bounded
from profiles.api import PROFILE, OfProfile
from profiles.models import Profile
from segments import definitions, language, limits, membership
from segments.models import Cause, Membership, Segment, SegmentVersion
from staff.rest import Resource, member

_SECONDS = 30
_SLUG = r"[-\w]+"
_AT_ONCE = 10_000


class SegmentFields(Fields):
    slug = serializers.CharField(max_length=100)
    name = Text(max_length=200, required=False, help_text="By default the slug in words.")
    description = Text(required=False, allow_blank=True)
    family = Text(required=False, allow_blank=True, max_length=50)
    position = serializers.IntegerField(required=False, min_value=0, max_value=2**31 - 1)
    hypothesis = Text(required=False, allow_blank=True)
    needs = Text(required=False, allow_blank=True)
    preferred_channels = serializers.ListField(child=Text(max_length=20), required=False)
    owner = Text(source="owner.username", required=False, allow_null=True, help_text="User name of a member of staff.")
    success_metric = Text(required=False, allow_blank=True)
    marketing = serializers.BooleanField(
        required=False, help_text="Whether it serves marketing (by default): who objects to that is not in it then."
    )
    status = serializers.ChoiceField(
        Segment.Status.choices, required=False, help_text="Of a new one live by default; else it stays as it is."
    )
    kind = serializers.ChoiceField(Segment.Kind.choices, required=False)
    definition = JSONObject(required=False)
    reason = Text(write_only=True, required=False, allow_blank=True, help_text="Why it is written, for its history.")
    sentence = serializers.CharField(source="version.sentence", read_only=True, default="")
    version = serializers.IntegerField(source="version.number", read_only=True, default=None, allow_null=True)
    size = serializers.IntegerField(read_only=True)
    flagged = serializers.CharField(read_only=True, help_text="What is wrong with it; empty: nothing.")
    refreshed_at = serializers.DateTimeField(read_only=True, allow_null=True)
    created_at = serializers.DateTimeField(read_only=True)


class SegmentFilters(Fields):
    status = serializers.ChoiceField(Segment.Status.choices, required=False)
    family = Text(required=False)


class ReasonFields(Fields):
    reason = Text(required=False, allow_blank=True)


class RefreshedFields(Fields):
    entered = serializers.IntegerField()
    left = serializers.IntegerField()
    size = serializers.IntegerField()


class QuestionFields(Fields):
    definition = JSONObject()
    at = Moment(required=False)
    limit = serializers.IntegerField(required=False, default=20, min_value=0, max_value=definitions.LIMIT)
    marketing = serializers.BooleanField(required=False, default=True, help_text="As of a segment.")


class PreviewFields(Fields):
    count = serializers.IntegerField(help_text="People with an external_id who match.")
    sentence = serializers.CharField()
    members = serializers.ListField(child=serializers.CharField(), help_text="Their external ids, up to `limit`.")
    anonymous = serializers.IntegerField(help_text="People without one who match.")
    as_of_now = serializers.ListField(child=serializers.CharField(), help_text="Parts that know only today's values.")


class SegmentView(ListModelMixin, RetrieveModelMixin, Resource):
    """Groups of people by what they are and do. Archived ones are listed with `?status=archived` only."""

    scope = "segments"
    asks = ("preview",)
    queryset = Segment.objects.select_related("owner", "version")
    serializer_class = SegmentFields
    lookup_field = "slug"
    lookup_value_regex = _SLUG
    filters = SegmentFilters
    order = ("slug",)

    def narrowed(self, queryset: QuerySet, **asked: Any) -> QuerySet:
        return queryset.filter(**asked) if "status" in asked else _there(queryset.filter(**asked))

    def get_object(self) -> Segment:
        return find(self.kwargs["slug"])

    def handle_exception(self, exc: Exception) -> Response:
        """Has the path of what is wrong within a definition be that of the language, such as `all[1].count.op`."""
        if isinstance(exc, Invalid):
            exc = Invalid([Problem(p.path.removeprefix("definition."), p.reason) for p in exc.problems])
        return super().handle_exception(exc)

    def create(self, request: Request) -> Response:
        values = self.taken()
        slug = values.pop("slug")
        with self.alone(slug):
            if _there(Segment.objects.filter(slug=slug)).exists():
                raise Conflict(f"There is a segment {slug!r} already; PUT or PATCH it.")
            return self.shown(self._save(slug, self._whole(slug, values, is_new=True)), 201)

    @extend_schema(responses={200: SegmentFields, 201: SegmentFields})
    def update(self, request: Request, slug: str) -> Response:
        values = self.replaced()
        with self.alone(slug):
            is_new = not _there(Segment.objects.filter(slug=slug)).exists()
            segment = self._save(slug, self._whole(slug, values, is_new=is_new))
            return self.shown(segment, 201 if is_new else 200)

    def partial_update(self, request: Request, slug: str) -> Response:
        find(slug)
        return self.shown(self._save(slug, self.replaced(partial=True)))

    @extend_schema(request=ReasonFields, responses={204: None}, description="Archives it; what it was stays on record.")
    def destroy(self, request: Request, slug: str) -> Response:
        find(slug)
        definitions.archive(slug, reason=self.taken(ReasonFields).get("reason", ""), now=self.now)
        return Response(status=204)

    @extend_schema(request=None, responses=RefreshedFields)
    @action(detail=True, methods=["post"])
    def refresh(self, request: Request, slug: str) -> Response:
        entered, left, size = definitions.refresh(find(slug), self.now)
        return Response({"entered": entered, "left": left, "size": size})

    @extend_schema(request=QuestionFields, responses=PreviewFields, filters=False)
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        asked = self.taken(QuestionFields)
        with bounded(_SECONDS):
            try:
                found = definitions.preview(
                    asked["definition"],
                    at=asked.get("at", self.now),
                    limit=asked["limit"],
                    marketing=asked["marketing"],
                )
            except Invalid as refusal:
                raise Invalid([Problem(p.path or "definition", p.reason) for p in refusal.problems]) from None
        return Response(PreviewFields(found).data)

    def _whole(self, slug: str, values: dict[str, Any], *, is_new: bool) -> dict[str, Any]:
        """With what a replacement empties where it is left out. Its status is no part of that: it stays as it is."""
        kind = values.get("kind", Segment.Kind.DYNAMIC)
        if "definition" not in values and kind == Segment.Kind.DYNAMIC:
            raise Invalid.at("definition", 'Say who is in it, such as {"all": []} for everybody.')
        unset = Segment()
        usual = {name: getattr(unset, name) for name in definitions.FIELDS}
        usual |= {"name": wording.spoken(slug)} | ({"status": Segment.Status.LIVE} if is_new else {})
        return {**usual, **values}

    def _save(self, slug: str, values: dict[str, Any]) -> Segment:
        if values.get("owner"):
            values["owner"] = member(values["owner"]["username"])
        return definitions.save(slug, now=self.now, **values)


def _there(segments: QuerySet) -> QuerySet:
    """Of these, those that are not archived: to the API an archived one is gone until it is made again."""
    return segments.exclude(status=Segment.Status.ARCHIVED)


def find(slug: str) -> Segment:
    segment: Segment | None = _there(SegmentView.queryset.filter(slug=slug)).first()
    if segment is None:
        raise Http404(f"There is no segment {slug!r}.")
    return segment


class MemberFields(Fields):
    external_id = serializers.CharField(source="profile.external_id")
    entered_at = serializers.DateTimeField()
    cause = serializers.ChoiceField(Cause.choices)


class ByHandFields(Fields):
    add = serializers.ListField(child=Text(), required=False, default=list, max_length=_AT_ONCE)
    remove = serializers.ListField(child=Text(), required=False, default=list, max_length=_AT_ONCE)


class MovedFields(Fields):
    entered = serializers.IntegerField()
    left = serializers.IntegerField()


class MemberView(ListModelMixin, Resource):
    """Who is in a segment, of those who have an external_id."""

    scope = "segments"
    queryset = Membership.objects.select_related("profile")
    serializer_class = MemberFields
    order = ("profile_id",)

    def get_queryset(self) -> QuerySet:
        members = super().get_queryset().filter(segment=find(self.kwargs["slug"]))
        return members.exclude(profile__external_id=None)

    @extend_schema(request=ByHandFields, responses=MovedFields, description="Fills a segment that is filled by hand.")
    def create(self, request: Request, slug: str) -> Response:
        segment, asked = find(slug), self.taken(ByHandFields)
        added, removed = _people("add", asked["add"]), _people("remove", asked["remove"])
        with transaction.atomic():
            entered = membership.add(segment, added, now=self.now)
            left = membership.remove(segment, removed, now=self.now)
        return Response({"entered": len(entered), "left": len(left)})


def _people(path: str, external_ids: list[str]) -> list[Any]:
    found = dict(Profile.objects.filter(external_id__in=external_ids).values_list("external_id", "id"))
    unknown = [
        Problem(f"{path}[{place}]", f"Nobody here has the external_id {external_id!r}.")
        for place, external_id in enumerate(external_ids)
        if external_id not in found
    ]
    if unknown:
        raise Invalid(unknown[:100])
    return list(found.values())


class VersionFields(Fields):
    number = serializers.IntegerField()
    definition = JSONObject()
    sentence = serializers.CharField()
    author = serializers.CharField()
    reason = serializers.CharField()
    created_at = serializers.DateTimeField()


class VersionView(ListModelMixin, Resource):
    """The definitions that a segment has had, the newest first."""

    scope = "segments"
    queryset = SegmentVersion.objects.all()
    serializer_class = VersionFields
    order = ("-number",)

    def get_queryset(self) -> QuerySet:
        return super().get_queryset().filter(segment=find(self.kwargs["slug"]))


class MembershipFields(Fields):
    slug = serializers.CharField(source="segment.slug")
    name = serializers.CharField(source="segment.name")
    entered_at = serializers.DateTimeField()
    cause = serializers.ChoiceField(Cause.choices)


class ProfileSegmentView(ListModelMixin, OfProfile):
    """The segments that a person is in."""

    scope = "profiles"
    queryset = Membership.objects.select_related("segment")
    serializer_class = MembershipFields
    order = ("segment_id",)

    def get_queryset(self) -> QuerySet:
        return super().get_queryset().filter(profile=self.profile)


class FindingFields(Fields):
    path = serializers.CharField(allow_blank=True)
    sentence = serializers.CharField()
    holds = serializers.BooleanField()
    found = serializers.CharField(help_text="What was found of this person.")
    depth = serializers.IntegerField()


class ExplanationFields(Fields):
    segment = serializers.CharField()
    holds = serializers.BooleanField()
    kept_out = serializers.CharField(help_text="Why they are not in it whatever they match; empty: nothing is.")
    at = serializers.DateTimeField()
    findings = FindingFields(many=True)


class ExplainFilters(Fields):
    segment = Text(help_text="The slug of the segment.")
    at = Moment(required=False, help_text="As of this moment; by default now.")


class ExplainView(OfProfile):
    """Why a person matches a segment's definition, or does not, part by part."""

    scope = "profiles"
    filters = ExplainFilters
    pagination_class = None

    @extend_schema(
        operation_id="profiles_explain",
        responses=forced_singular_serializer(ExplanationFields),  # type: ignore[no-untyped-call]
    )
    def list(self, request: Request, external_id: str) -> Response:
        asked = self.asked()
        at = asked.get("at", self.now)
        segment = find(asked["segment"])
        with bounded(_SECONDS):
            findings = language.parse(segment.definition).explain(self.profile.id, at=at)
        kept_out = " ".join(limits.kept_out(self.profile.id, marketing=segment.marketing))
        holds = bool(findings) and findings[0].holds and not kept_out
        told = {"segment": segment.slug, "holds": holds, "kept_out": kept_out, "at": at, "findings": findings}
        return Response(ExplanationFields(told).data)


ROUTES = [
    ("segments", SegmentView, "segments"),
    (f"segments/(?P<slug>{_SLUG})/members", MemberView, "segment-members"),
    (f"segments/(?P<slug>{_SLUG})/versions", VersionView, "segment-versions"),
    (f"{PROFILE}/segments", ProfileSegmentView, "profile-segments"),
]
