"""The channels over the REST API: which there are, whether each is ready, and how it is set up."""

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from foundation.errors import Invalid, Problem
from foundation.rest import Fields, Text
from messaging import wiring
from messaging.delivery import CHANNELS, Channel
from messaging.models import ChannelSettings
from messaging.wiring import Wired
from staff.rest import Resource


class ChannelFormFields(Fields):
    has_subject = serializers.BooleanField()
    rich = serializers.BooleanField(help_text="Whether it shows blocks of all kinds; else only what words can say.")
    longest = serializers.IntegerField(allow_null=True, help_text="Of the plain text, in characters.")
    options = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))


class ChannelFields(Fields):
    key = serializers.CharField(read_only=True)
    label = serializers.CharField(read_only=True)  # type: ignore[assignment]
    about = serializers.CharField(read_only=True)
    ready = serializers.BooleanField(read_only=True)
    lacks = serializers.CharField(read_only=True, help_text="Why nothing goes out by it, in words; empty: it does.")
    enabled = serializers.BooleanField(required=False)
    settings = serializers.DictField(
        child=Text(allow_blank=True),
        required=False,
        help_text="By name. A secret is never shown, and stays as it is while it is empty.",
    )
    secrets = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="The names of the secrets that are kept."
    )
    form = ChannelFormFields(read_only=True, help_text="What a template for it has.")


class ChannelView(Resource):
    """The ways to reach people."""

    scope = "channels"
    queryset = ChannelSettings.objects.none()
    serializer_class = ChannelFields
    lookup_field = "key"
    lookup_url_kwarg = "channel"
    lookup_value_regex = "[a-z_]+"

    @extend_schema(responses=ChannelFields(many=True))
    def list(self, request: Request) -> Response:
        """All of them at once: there are few."""
        self.asked()
        wired = wiring.all_wired()
        return Response({"next": None, "results": [self._told(CHANNELS[key], wired[key]) for key in sorted(wired)]})

    def retrieve(self, request: Request, channel: str) -> Response:
        return Response(self._of(channel))

    def partial_update(self, request: Request, channel: str) -> Response:
        """Changes what is named; what waited for it goes out at once."""
        self._of(channel)
        asked = self.taken(partial=True)
        try:
            wiring.save(
                channel,
                asked.get("settings", {}),
                enabled=asked.get("enabled", wiring.wired(channel).enabled),
                now=self.now,
            )
        except Invalid as invalid:
            raise Invalid([Problem(f"settings.{one.path}", one.reason) for one in invalid.problems]) from None
        return Response(self._of(channel))

    def _of(self, key: str) -> dict[str, Any]:
        if key not in CHANNELS:
            raise Http404(f"There is no channel {key!r}.")
        return self._told(CHANNELS[key], wiring.wired(key))

    def _told(self, channel: type[Channel], wired: Wired) -> dict[str, Any]:
        lack, form = wired.lack(channel), channel.form
        told = {
            "key": channel.key,
            "label": channel.label,
            "about": channel.about,
            "ready": not lack,
            "lacks": lack,
            "enabled": wired.enabled,
            "settings": {one.name: wired.values[one.name] for one in channel.settings if not one.is_sealed},
            "secrets": [one.name for one in channel.settings if one.secret and wired.values[one.name]],
            "form": {
                "has_subject": form.has_subject,
                "rich": form.rich,
                "longest": form.longest,
                "options": {one.name: [value for value, _ in one.among] for one in form.options},
            },
        }
        return dict(self.get_serializer(told).data)


ROUTES = [("channels", ChannelView, "channels")]
