"""The admin's frame: the menu, and the page that staff come home to."""

from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from config import scheduled_work  # noqa: F401 (its screen takes the place of Beat's own)
from foundation import wording
from insights import overview

# (heading, [(title, icon, app_model)]): an item shows where its list exists and the reader may view it. What stands
# behind a slash is a page of that model beside its list.
_MENU = (
    (
        "People",
        (
            ("People", "group", "profiles_profile"),
            ("Companies", "apartment", "profiles_account"),
            ("What people do", "bolt", "profiles_eventtype"),
            ("What we know", "label", "profiles_attributetype"),
            ("Refused data", "report", "profiles_rejectedevent"),
            ("Identity conflicts", "call_split", "profiles_identityconflict"),
            ("Merges", "merge", "profiles_merge"),
            ("Imports", "upload_file", "profiles_importjob"),
        ),
    ),
    ("Segments", (("Segments", "donut_small", "segments_segment"),)),
    (
        "Journeys",
        (
            ("Journeys", "route", "journeys_journey"),
            ("Playbooks", "auto_stories", "journeys_journey/playbooks"),
            ("People on journeys", "hiking", "journeys_enrollment"),
            ("Who did not enter", "do_not_disturb_on", "journeys_refusal"),
            ("Tasks", "task_alt", "journeys_task"),
        ),
    ),
    (
        "Messages",
        (
            ("Outbox", "outbox", "messaging_message"),
            ("Broadcasts", "campaign", "messaging_broadcast"),
            ("Deliveries", "monitoring", "messaging_report/deliveries"),
            ("What came back", "assignment_return", "messaging_report"),
            ("Templates", "draft", "messaging_template"),
            ("Snippets", "extension", "messaging_snippet"),
            ("Channels", "cell_tower", "messaging_channelsettings"),
            ("Limits", "speed", "messaging_limits"),
            ("Holdouts", "science", "messaging_holdout"),
            ("Ways out", "alt_route", "messaging_lane"),
            ("Paces", "shutter_speed", "messaging_pace"),
            ("Sender domains", "verified_user", "messaging_senderdomain"),
            ("Domain health", "monitor_heart", "messaging_senderdomain/health"),
            ("Brand", "palette", "messaging_brand"),
        ),
    ),
    (
        "Consent",
        (
            ("Topics", "topic", "consent_topic"),
            ("Sign-up forms", "assignment_ind", "consent_signupform"),
            ("Privacy requests", "gavel", "consent_privacyrequest"),
            ("Answers to read", "mark_chat_unread", "consent_reply"),
            ("Choices now", "how_to_reg", "consent_consentstate"),
            ("The ledger", "history_edu", "consent_consentrecord"),
            ("Refused upgrades", "gpp_bad", "consent_refusedupgrade"),
            ("Blocked addresses", "block", "consent_suppression"),
            ("How long things are kept", "auto_delete", "consent_retentionrule"),
        ),
    ),
    (
        "Settings",
        (
            ("Staff", "badge", "staff_user"),
            ("Roles", "admin_panel_settings", "auth_group"),
            ("Teams", "groups", "staff_team"),
            ("Keys", "key", "staff_key"),
            ("Webhooks", "webhook", "profiles_endpoint"),
            ("What webhooks were told", "forward_to_inbox", "profiles_delivery"),
            ("Audit trail", "policy", "staff_auditentry"),
            ("Scheduled work", "schedule", "django_celery_beat_periodictask"),
        ),
    ),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The side menu, with nothing in it that the reader may not open."""
    home = {"title": "", "items": [{"title": "Home", "icon": "home", "link": reverse("admin:index")}]}
    groups = [{"title": title, "separator": True, "items": _items(request, items)} for title, items in _MENU]
    return [home, *(group for group in groups if group["items"])]


def _items(request: HttpRequest, items: tuple[tuple[str, str, str], ...]) -> list[dict[str, Any]]:
    return [
        {"title": title, "icon": icon, "link": address}
        for title, icon, name in items
        if _may_view(request, name) and (address := _address(name))
    ]


def _may_view(request: HttpRequest, name: str) -> bool:
    app, _, model = name.partition("/")[0].rpartition("_")
    return request.user.has_perm(f"{app}.view_{model}") or request.user.has_perm(f"{app}.change_{model}")


def _address(name: str) -> str:
    model, _, page = name.partition("/")
    try:
        return reverse(f"admin:{model}_{page or 'changelist'}")
    except NoReverseMatch:
        return ""


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the home page shows, of what the reader may view."""
    context["parts"] = overview.parts(request.user)
    context["title"] = "Home"
    context["lead"] = f"How things stand, {wording.exact(wording.now())}."
    return context
