"""Hosted sign-up forms over the REST API."""

from typing import Any

from django.conf import settings
from django.http import Http404
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from consent import signups
from consent.models import SignupForm
from foundation.errors import Invalid
from foundation.rest import Fields, Text
from staff.rest import Resource


class WordingFields(Fields):
    title = Text(max_length=2_000)
    text = Text(max_length=2_000, help_text="What they get, and what they agree to.")
    button = Text(max_length=2_000)


class SignupFormFields(Fields):
    slug = Text(max_length=50)
    name = Text(max_length=100, help_text="For staff.")
    topics = serializers.ListField(child=Text(max_length=50), min_length=1, help_text="Slugs of what it offers.")
    wordings = serializers.DictField(child=WordingFields(), help_text="By language, such as en.")
    embed_on = serializers.ListField(
        child=Text(max_length=300),
        required=False,
        default=list,
        help_text="Whose pages may frame it, such as https://www.example.com.",
    )
    active = serializers.BooleanField(required=False, default=True)
    url = serializers.SerializerMethodField(help_text="The form itself.")
    reason = Text(
        write_only=True, required=False, allow_blank=True, help_text="Why it is written, for the audit trail."
    )

    def get_url(self, form: SignupForm) -> str:
        return settings.BASE_URL + reverse("consent:form", args=[form.slug])


class SignupFormView(ListModelMixin, RetrieveModelMixin, Resource):
    """The forms on which people ask to get topics; what they ask for counts once they confirm it by mail."""

    scope = "topics"
    queryset = SignupForm.objects.all()
    serializer_class = SignupFormFields
    lookup_field = "slug"
    lookup_value_regex = r"[-\w]+"
    order = ("slug",)

    @extend_schema(responses={200: SignupFormFields, 201: SignupFormFields})
    def update(self, request: Request, slug: str) -> Response:
        is_new = not SignupForm.objects.filter(slug=slug).exists()
        return self.shown(signups.save(slug, now=self.now, **self._sent(slug)), 201 if is_new else 200)

    def partial_update(self, request: Request, slug: str) -> Response:
        before = SignupForm.objects.filter(slug=slug).first()
        if before is None:
            raise Http404(f"There is no form {slug!r}.")
        stands = {name: getattr(before, name) for name in signups.FIELDS}
        return self.shown(signups.save(slug, now=self.now, **(stands | self._sent(slug, partial=True))))

    def _sent(self, slug: str, *, partial: bool = False) -> dict[str, Any]:
        data = self.request.data
        if isinstance(data, dict):
            if data.get("slug", slug) != slug:
                raise Invalid.at("slug", "This is not the slug in the address, which cannot be changed.")
            data = {**data, "slug": slug}
        form = self.get_serializer(data=data, partial=partial)
        form.is_valid(raise_exception=True)
        return {name: value for name, value in form.validated_data.items() if name != "slug"}
