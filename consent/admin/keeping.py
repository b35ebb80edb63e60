"""How long things are kept, for staff: in words, with what would be deleted now, before anything is chosen."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from consent import retention
from consent.admin.parts import Field, Form
from consent.models import RetentionRule
from consent.retention import Kept
from foundation import clock, wording
from foundation.admin import ReadOnlyAdmin
from foundation.errors import Invalid
from foundation.pages import Head, Part, Prose, Table


@admin.register(RetentionRule)
class RetentionRuleAdmin(ReadOnlyAdmin):
    """One page in place of a list: there are few rules, and all are read together."""

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        tried: dict[str, str] = {}
        wrong: dict[str, str] = {}
        if request.method == "POST":
            if not request.user.has_perm("consent.change_retentionrule"):
                raise PermissionDenied
            do, _, key = request.POST.get("do", "").partition(":")
            tried[key] = request.POST.get("days", "").strip()
            try:
                wanted = _number(tried[key])
                if do == "save":
                    rule = retention.choose(key, wanted, now=clock.now())
                    told = _told(rule.days)
                    messages.success(request, f"{retention.KINDS[key].label}: kept {told}, from the next hour on.")
                    return HttpResponseRedirect(request.path)
            except Invalid as refusal:
                wrong[key] = " ".join(f"It {problem.reason}." for problem in refusal.problems)
        return self._rules(request, tried, wrong)

    def _rules(self, request: HttpRequest, tried: Mapping[str, str], wrong: Mapping[str, str]) -> HttpResponse:
        lead = "What is past its time is deleted once an hour, for good. Look at what would go before you choose."
        may_change = request.user.has_perm("consent.change_retentionrule")
        forms = [_form(kind, tried, wrong) for kind in retention.KINDS.values()] if may_change else []
        context = {
            **self.admin_site.each_context(request),
            "title": "How long things are kept",
            "opts": self.opts,
            "head": Head("How long things are kept", lead),
            "main": [_table(), *forms],
            "aside": [Prose(title="What else goes by itself", text=_OTHERS)],
            "verbs": [],
        }
        return TemplateResponse(request, "admin/cairn/page.html", context, status=422 if wrong else 200)


def _table() -> Part:
    rules = RetentionRule.objects.in_bulk()
    return Table(
        title="As it stands",
        headers=["What", "Kept", "Would go now", "Deleted so far", "Last time"],
        rows=[
            (
                kind.label,
                _told(retention.days(kind)),
                _amount(retention.would_go(kind, retention.days(kind), clock.now())),
                wording.amount(rule.dropped) if (rule := rules.get(kind.key)) else "0",
                wording.moment(rule.ran_at if rule else None),
            )
            for kind in retention.KINDS.values()
        ],
        empty="Nothing has a time.",
    )


def _form(kind: Kept, tried: Mapping[str, str], wrong: Mapping[str, str]) -> Form:
    stands = retention.days(kind)
    value = tried.get(kind.key, str(stands or ""))
    looked = kind.key in tried and kind.key not in wrong
    found = _amount(retention.would_go(kind, _number(value), clock.now())) if looked else ""
    days = Field(
        name="days",
        label="Days",
        value=value,
        hint=f"At least {wording.amount(kind.least)}; empty: for ever. What stays: {kind.stays}",
        required=False,
        number=True,
        flaw=wrong.get(kind.key, ""),
    )
    return Form(
        title=kind.label,
        note=f"If it were kept {_told(_number(value))}, {found} would go now." if looked else kind.what,
        do=f"save:{kind.key}",
        button="Keep it so long",
        question="What is older is deleted for good within the hour. Keep it so long?",
        fields=[days],
        also=(f"look:{kind.key}", "What would go?"),
    )


def _number(text: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 6:
        raise Invalid.at("days", "must be a whole number of days, or empty to keep it for ever")
    return int(text)


def _told(days: int | None) -> str:
    return "for ever" if days is None else f"for {wording.plural(days, 'day')}"


def _amount(found: int) -> str:
    return f"{wording.amount(found)} or more" if found >= retention.MOST_COUNTED else wording.amount(found)


_OTHERS = (
    "Sign-ups that nobody confirmed: after 30 days. Data that was refused: after a year, and 30 days after it was"
    " replayed. What is needed to take a merge back: after 30 days. Ids of messages, by which what comes twice is"
    " known: after 90 days. What webhooks were told: after 30 days. The ledger of consent and the audit trail are kept."
)
