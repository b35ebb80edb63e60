"""People and companies: the list, and each one's story."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from foundation import clock, wording
from foundation.admin import ReadOnlyAdmin, Serve, list_of, page_of
from foundation.pages import Facts, Fragment, Head, Part, Story, Table, Verb
from profiles import people
from profiles.admin import stories
from profiles.admin.filters import whether
from profiles.models import Account, Identifier, Merge, Profile

# What apps above add to a person's page: its title, the name of the URL that serves it, and who may see it.
FRAGMENTS = (
    ("Journeys", "journeys_of_person", "journeys.view_enrollment"),
    ("Messages", "messages_of_person", "messaging.view_message"),
    ("Segments", "segments_of_person", "segments.view_segment"),
    ("Consent", "consent_of_person", "consent.view_consentstate"),
)

# What apps above offer to do about a person: its label, the name of the URL that leads there, and who may.
LINKS = (
    ("Everything held", "everything_of_person", "consent.export_privacyrequest"),
    ("As a file", "everything_as_file", "consent.export_privacyrequest"),
    ("Raise a request", "request_for_person", "consent.add_privacyrequest"),
)


@admin.register(Profile)
class ProfileAdmin(ReadOnlyAdmin):
    empty = (
        "People appear here as soon as their behaviour arrives: send it to the tracking API with a write key,"
        " or import a file with `manage.py import_events` or `import_profiles`."
    )
    list_display = ("name", "email_", "company", "seen", "since")
    list_select_related = ("account",)
    list_filter = (whether("external_id", "who they are", filled="Known", empty="Anonymous"),)
    search_fields = (
        "email__istartswith",
        "first_name__istartswith",
        "last_name__istartswith",
        "external_id__istartswith",
    )
    search_help_text = "The beginning of a name, an email address or your own id; or the whole id of a device"
    ordering = ("-last_seen_at",)

    @display(description="Person")
    def name(self, profile: Profile) -> SafeString:
        return wording.wide(str(profile))

    @display(description="Email", ordering="email")
    def email_(self, profile: Profile) -> SafeString:
        return format_html("<bdi>{}</bdi>", profile.email) if profile.email else wording.quiet("unknown")

    @display(description="Company")
    def company(self, profile: Profile) -> SafeString | str:
        return format_html("<bdi>{}</bdi>", profile.account) if profile.account else ""

    @display(description="Last seen", ordering="last_seen_at")
    def seen(self, profile: Profile) -> SafeString:
        return wording.moment(profile.last_seen_at)

    @display(description="First seen")
    def since(self, profile: Profile) -> SafeString:
        return wording.moment(profile.first_seen_at)

    def head(self, request: HttpRequest, row: Profile) -> Head:
        known = wording.badge("Known", "good") if row.external_id else wording.badge("Anonymous")
        at = f" at {row.account}" if row.account else ""
        lead = f"Somebody{at} whom we have known for {wording.span(wording.now() - row.first_seen_at)}"
        return Head(str(row), f"{lead}, last seen {wording.ago(row.last_seen_at)}.", [known])

    def parts(self, request: HttpRequest, row: Profile) -> Sequence[Part]:
        entries, following = stories.page(row.id, None)
        fragments = [_fragment(request, row, *declared) for declared in FRAGMENTS]
        return [
            Story(
                title="What happened",
                entries=entries,
                older=stories.address(row.id, following),
                empty="What they do will be told here, newest first, as soon as their behaviour arrives.",
            ),
            *(part for part in fragments if part),
            _who(row),
            Facts(
                title="What we know",
                note="Values that came with their behaviour.",
                rows=[(name, wording.readable(value)) for name, value in sorted(row.attributes.items())],
                empty="No values have been sent about this person.",
                aside=True,
            ),
            _known_as(row),
        ]

    def verbs(self, request: HttpRequest, row: Profile) -> Sequence[Verb]:
        links = [
            Verb(name, label, address=reverse(f"admin:{name}", args=[row.pk]))
            for label, name, permission in LINKS
            if request.user.has_perm(permission)
        ]
        if not request.user.has_perm("profiles.delete_profile"):
            return links
        question = f"Everything that names {row} will be erased here and cannot be brought back. Erase it?"
        return [*links, Verb("erase", "Erase", question, True)]

    def act(self, request: HttpRequest, row: Profile, verb: str) -> str:
        people.erase(row, now=clock.now())
        return "All that named this person is erased. For 90 days what comes late under their ids is refused."

    def fragments(self) -> dict[str, Serve]:
        return {"profiles_story": _older}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Profile]:
        return super().get_queryset(request).select_related("account")

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[Any, bool]:
        """By beginnings; and by a whole id under which somebody came, also before they were merged."""
        found, may_have_doubles = super().get_search_results(request, queryset, search_term)
        if term := search_term.strip():
            # As ids and not as a subquery, under which PostgreSQL would read all people.
            known = Identifier.objects.filter(kind__in=Identifier.Kind, value=term)
            found = found | queryset.filter(pk__in=list(known.values_list("profile", flat=True)))
        return found, may_have_doubles


def _fragment(request: HttpRequest, row: Profile, title: str, name: str, permission: str) -> Part | None:
    if not request.user.has_perm(permission):
        return None
    try:
        return Fragment(title=title, address=reverse(f"admin:{name}", args=[row.pk]))
    except NoReverseMatch:
        return None  # the app that serves it is not installed


def _older(request: HttpRequest, key: UUID) -> HttpResponse:
    """The next page of a person's story."""
    try:
        before = datetime.fromtimestamp(float(request.GET["before"]), UTC)
        row = int(request.GET["row"])
    except (KeyError, ValueError, OverflowError, OSError):
        raise Http404 from None
    entries, following = stories.page(key, before, row)
    part = Story(title="", entries=entries, older=stories.address(key, following), empty="")
    return render(request, "admin/cairn/entries.html", {"part": part})


def _who(row: Profile) -> Part:
    return Facts(
        title="Who they are",
        aside=True,
        rows=[
            ("Email", row.email),
            ("Phone", row.phone),
            ("Company", wording.link(row.account, page_of(row.account)) if row.account else ""),
            ("Your id", row.external_id),
            ("Time zone", row.timezone),
            ("Language", row.locale),
            ("Signed up", wording.moment(row.created_at, "") if row.created_at else ""),
            ("First seen", wording.moment(row.first_seen_at)),
            ("Last seen", wording.moment(row.last_seen_at)),
        ],
    )


def _known_as(row: Profile) -> Part:
    names = [
        ("Your id" if found.kind == Identifier.Kind.USER else "A device", found.value)
        for found in row.identifiers.order_by("created_at")[:20]
    ]
    merges = Merge.objects.filter(survivor_id=row.id).order_by("-at")[:5]
    joined = [("Merged", wording.moment(merge.at)) for merge in merges]
    return Facts(
        title="Known as",
        note="The names under which they came, and profiles that became one with theirs.",
        rows=[*names, *joined],
        empty="They came without a name.",
        aside=True,
    )


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    empty = "Companies appear here when your product says to which one a person belongs (the `group` call)."
    list_display = ("name_", "people", "since")
    search_fields = ("name__istartswith", "external_id__istartswith")
    search_help_text = "The beginning of a name or of your own id"
    ordering = ("name", "external_id")

    @display(description="Company", ordering="name")
    def name_(self, account: Account) -> SafeString:
        return wording.wide(str(account))

    @display(description="People")
    def people(self, account: Any) -> str:
        return wording.amount(account.size)

    @display(description="Since", ordering="created_at")
    def since(self, account: Account) -> SafeString:
        return wording.moment(account.created_at)

    def head(self, request: HttpRequest, row: Any) -> Head:
        return Head(str(row), f"A company with {wording.plural(row.size, 'person', 'people')}.")

    def parts(self, request: HttpRequest, row: Account) -> Sequence[Part]:
        people = row.people.order_by("-last_seen_at")[:25]
        return [
            Table(
                title="People",
                headers=["Person", "Email", "Last seen"],
                rows=[(_person(one, request), one.email or "", wording.moment(one.last_seen_at)) for one in people],
                empty="Nobody belongs to it yet.",
                more=("All of them", list_of(Profile, account__id__exact=row.pk)) if row.size > 25 else None,  # type: ignore[attr-defined]
                note="Those seen last come first.",
            ),
            Facts(
                title="The company",
                aside=True,
                rows=[("Your id", row.external_id), ("Since", wording.moment(row.created_at))],
            ),
            Facts(
                title="What we know",
                rows=[(name, wording.readable(value)) for name, value in sorted(row.attributes.items())],
                empty="No values have been sent about it.",
                aside=True,
            ),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        # A subquery, so that only the people of companies on the page are counted.
        size = Profile.objects.filter(account=OuterRef("pk")).order_by().values("account").annotate(n=Count("pk"))
        counted = Coalesce(Subquery(size.values("n"), output_field=IntegerField()), 0)
        return super().get_queryset(request).annotate(size=counted)


def _person(profile: Profile, request: HttpRequest) -> SafeString | str:
    return wording.link(profile, page_of(profile)) if request.user.has_perm("profiles.view_profile") else str(profile)
