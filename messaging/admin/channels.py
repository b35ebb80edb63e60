"""The channels: how each is set up and stands, a test of it, and what is copied from here into other systems."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString

from foundation import wording
from foundation.admin import ReadOnlyAdmin
from foundation.errors import Invalid, Refused
from foundation.pages import Head, Part, Table
from messaging import wiring
from messaging.delivery import CHANNELS, Channel, Setting
from messaging.models import ChannelSettings
from messaging.wiring import Wired


@dataclass(frozen=True)
class Field:
    """A setting as the form asks for it; of a secret it knows only whether there is one."""

    setting: Setting
    value: str = ""
    kept: bool = False
    flaw: str = ""

    @property
    def choices(self) -> Sequence[tuple[str, str]]:
        return self.setting.among() if self.setting.among else ()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.setting, name)


@dataclass(frozen=True, kw_only=True)
class Form(Part):
    template = "messaging/channel_form.html"
    fields: Sequence[Field]
    enabled: bool
    alert: str = ""


@dataclass(frozen=True, kw_only=True)
class Trial(Part):
    template = "messaging/channel_test.html"
    to: str = ""
    last: str | SafeString = ""


@dataclass(frozen=True)
class Copied:
    """What is copied from here; `renew` names the setting that can be made anew."""

    label: str
    text: str
    help: str = ""
    renew: str = ""


@dataclass(frozen=True, kw_only=True)
class Ours(Part):
    template = "messaging/channel_ours.html"
    values: Sequence[Copied] = field(default_factory=list)


@admin.register(ChannelSettings)
class ChannelAdmin(ReadOnlyAdmin):
    """Lists the channels that there are, and not the rows: a channel that nobody set up has none."""

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        wired = wiring.all_wired()
        tested = {row.channel: row for row in ChannelSettings.objects.all()}
        rows = [
            (
                wording.link(_name(one), _page(one)),
                one.about,
                _state(one, wired[one.key]),
                _last(tested.get(one.key)) or wording.quiet("never" if one.can_test else "–"),
            )
            for one in sorted(CHANNELS, key=lambda one: (one.key != "email", one.label))
        ]
        table = Table(
            title="Ways to reach people", headers=["By", "What it is", "State", "Tested"], rows=rows, empty=""
        )
        lead = "What goes by a channel that is not ready waits until it is."
        return self._shown(request, Head("Channels", lead), [table])

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if object_id is None or not self.has_view_permission(request):
            raise PermissionDenied
        channel = CHANNELS.get(object_id)
        if channel is None:
            raise Http404
        if request.method != "POST":
            return self._of(request, channel)
        if not _may(request):
            raise PermissionDenied
        return self._done(request, channel, request.POST.get("do", ""))

    def _done(self, request: HttpRequest, channel: type[Channel], do: str) -> HttpResponse:
        now = wording.now()
        try:
            if do == "save":
                given = {one.name: request.POST.get(one.name, "") for one in channel.settings if one.make is None}
                wiring.save(channel.key, given, enabled="enabled" in request.POST, now=now)
                told = f"{_name(channel)}: saved."
            elif do == "test" and channel.can_test:
                wiring.test(channel.key, request.POST.get("to", "").replace("\0", ""), now=now)
                told = "The test went through."
            elif do.startswith("renew:") and any(
                one.renewable and do == f"renew:{one.name}" for one in channel.settings
            ):
                wiring.renew(channel.key, do.removeprefix("renew:"), now=now)
                told = "It is made anew. The one before it counts for one more day."
            else:
                raise PermissionDenied
        except Invalid as invalid:
            return self._of(request, channel, {problem.path: problem.reason for problem in invalid.problems})
        except Refused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, told)
        return HttpResponseRedirect(_page(channel))

    def _of(self, request: HttpRequest, channel: type[Channel], flaws: Mapping[str, str] | None = None) -> HttpResponse:
        wired, row = wiring.wired(channel.key), wiring.row(channel.key)
        lack = wired.lack(channel)
        lead = f"{channel.about} It {lack}." if lack else channel.about
        parts: list[Part] = []
        if _may(request):
            parts.append(_form(request, channel, wired, flaws or {}))
            if channel.can_test:
                parts.append(Trial(title="Try it", aside=True, to=channel.test_to, last=_last(row)))
            if ours := _ours(channel):
                parts.append(Ours(title="For your developers", values=ours))
        return self._shown(request, Head(_name(channel), lead, [_state(channel, wired)]), parts, 422 if flaws else 200)

    def _shown(self, request: HttpRequest, head: Head, parts: Sequence[Part], status: int = 200) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": head.title,
            "opts": self.opts,
            "original": head.title,
            "head": head,
            "main": [part for part in parts if not part.aside],
            "aside": [part for part in parts if part.aside],
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "messaging/channel.html", context, status=status)


def _may(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("messaging.change_channelsettings"))


def _name(channel: type[Channel]) -> str:
    return channel.label[:1].upper() + channel.label[1:]


def _page(channel: type[Channel]) -> str:
    return reverse("admin:messaging_channelsettings_change", args=[channel.key])


def _state(channel: type[Channel], wired: Wired) -> SafeString:
    if not wired.enabled:
        return wording.badge("Off", "plain")
    return wording.badge("Not set up", "warn") if wired.lack(channel) else wording.badge("Ready", "good")


def _last(row: ChannelSettings | None) -> str:
    if row is None or row.tested_at is None:
        return ""
    said = f"did not go through: {row.test_failed}" if row.test_failed else "went through."
    return f"The last test, {wording.ago(row.tested_at)}, {said}"


def _form(request: HttpRequest, channel: type[Channel], wired: Wired, flaws: Mapping[str, str]) -> Form:
    fields = [
        Field(
            one,
            value="" if one.secret else request.POST.get(one.name, wired.values[one.name]),
            kept=one.secret and bool(wired.values[one.name]),
            flaw=flaws.get(one.name, ""),
        )
        for one in channel.settings
        if one.make is None
    ]
    alert = "It was not saved: mend what is marked in red, then save it." if flaws else ""
    enabled = "enabled" in request.POST if flaws else wired.enabled
    return Form(title="How it is set up", fields=fields, enabled=enabled, alert=alert)


def _ours(channel: type[Channel]) -> list[Copied]:
    made = [
        Copied(one.label, wiring.made(channel.key, one.name), one.help, one.name if one.renewable else "")
        for one in channel.settings
        if one.make is not None and one.shown
    ]
    return [*(Copied(label, text, help) for label, text, help in channel().copied()), *made]
