"""Consent, for staff: what can be chosen, what was, how each choice came about, and who is not written to."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from consent import stories, suppression
from consent.admin import topics
from consent.ledger import EVERYTHING
from consent.models import (
    ConsentEvidence,
    ConsentRecord,
    ConsentState,
    Limit,
    PrivacyRequest,
    RefusedUpgrade,
    SignupForm,
    State,
    Subject,
    Suppression,
    Topic,
    Wording,
)
from consent.wordings import channel_name
from foundation import wording
from foundation.admin import ReadOnlyAdmin, Serve, list_of, page_of
from foundation.pages import Facts, Head, Number, Numbers, Part, Prose, Table, fragment
from profiles.models import Profile

_TONES: dict[str, wording.Tone] = {State.GRANTED: "good", State.DENIED: "bad", State.EXPIRED: "warn"}


def _state(state: str) -> SafeString:
    return wording.badge(State(state).label, _TONES[state])


def _topic(slug: str) -> str:
    return "Everything" if slug == EVERYTHING else wording.spoken(slug)


def _channel(key: str) -> str:
    return "All channels" if key == EVERYTHING else channel_name(key)


# ── What can be chosen ───────────────────────────────────────────────────────────────────────────────────────────────
@admin.register(Topic)
class TopicAdmin(ReadOnlyAdmin):
    empty = "Topics are the kinds of message that people can choose. They come with a playbook, or over the API."
    list_display = ("name_", "basis_", "by", "stands")
    list_filter = (("basis", ChoicesDropdownFilter), "transactional", "archived")
    search_fields = ("name__istartswith", "slug__istartswith")
    ordering = ("archived", "name")

    @display(description="Topic", ordering="name")
    def name_(self, topic: Topic) -> SafeString:
        return wording.wide(topic.name)

    @display(description="Why it may be sent", ordering="basis")
    def basis_(self, topic: Topic) -> str:
        return topic.get_basis_display()

    @display(description="By")
    def by(self, topic: Topic) -> str:
        return ", ".join(map(channel_name, topic.channels))

    @display(description="State")
    def stands(self, topic: Topic) -> SafeString:
        if topic.archived:
            return wording.badge("Archived")
        return wording.badge("Always sent", "calm") if topic.transactional else wording.badge("To choose", "good")

    def head(self, request: HttpRequest, row: Topic) -> Head:
        if row.transactional:
            lead = "Needed for what people use: it is sent even after they stop everything."
        elif row.basis == Topic.Basis.CONSENT:
            lead = "Sent only to those who said yes."
        else:
            lead = "Sent until somebody says no."
        return Head(row.name, lead, [self.stands(row)])

    def parts(self, request: HttpRequest, row: Topic) -> Sequence[Part]:
        return [
            topics.read_by_customers(row),
            _chosen(row),
            topics.over_time(row.slug, title="Consent over time"),
            topics.by_way(row.slug),
            Facts(
                title="About it",
                aside=True,
                rows=[
                    ("Why it may be sent", row.get_basis_display()),
                    ("By", self.by(row)),
                    ("Law of a country that it keeps to", row.get_jurisdiction_display() or "–"),
                    ("Name for programs", row.slug),
                ],
            ),
            topics.guidance(row),
        ]


def _chosen(topic: Topic) -> Part:
    counted = ConsentState.objects.filter(topic=topic.slug).order_by().values_list("channel", "state")
    found = {(channel, state): n for channel, state, n in counted.annotate(n=Count("id"))}
    return Numbers(
        title="What people chose",
        numbers=[
            Number(
                f"{State(state).label}, by {channel_name(channel).lower()}",
                wording.amount(found.get((channel, state), 0)),
                address=list_of(ConsentState, topic=topic.slug, channel=channel, state__exact=state),
            )
            for channel in topic.channels
            for state in State.values
        ],
    )


@admin.register(SignupForm)
class SignupFormAdmin(ReadOnlyAdmin):
    empty = "Sign-up forms are pages on which people ask to get topics. They are made over the API."
    list_display = ("name_", "topics_", "stands")
    list_filter = ("active",)
    ordering = ("-active", "name")

    @display(description="Form", ordering="name")
    def name_(self, form: SignupForm) -> SafeString:
        return wording.wide(form.name)

    @display(description="Offers")
    def topics_(self, form: SignupForm) -> str:
        return ", ".join(map(_topic, form.topics))

    @display(description="State")
    def stands(self, form: SignupForm) -> SafeString:
        return wording.badge("In use", "good") if form.active else wording.badge("Out of use")

    def head(self, request: HttpRequest, row: SignupForm) -> Head:
        return Head(
            row.name, "Whoever sends it gets one mail, and nothing more before they confirm.", [self.stands(row)]
        )

    def parts(self, request: HttpRequest, row: SignupForm) -> Sequence[Part]:
        address = settings.BASE_URL + reverse("consent:form", args=[row.slug])
        languages = dict(settings.LANGUAGES)
        return [
            *(
                Prose(
                    title=languages.get(locale, locale), text=f"{said['title']}\n\n{said['text']}\n\n{said['button']}"
                )
                for locale, said in sorted(row.wordings.items())
            ),
            Facts(
                title="About it",
                aside=True,
                rows=[
                    ("Where it is", wording.link(address, address)),
                    ("Offers", self.topics_(row)),
                    ("May be framed by", ", ".join(row.embed_on) or "nobody"),
                    ("Name for programs", row.slug),
                ],
            ),
        ]


# ── What was chosen ──────────────────────────────────────────────────────────────────────────────────────────────────
@admin.register(ConsentState)
class ConsentStateAdmin(ReadOnlyAdmin):
    empty = "What people choose on their preference page, or over the API, stands here; nobody has chosen yet."
    list_display = ("person", "topic_", "channel_", "state_", "since_")
    list_filter = (("state", ChoicesDropdownFilter),)
    list_select_related = ("profile",)
    search_fields = ("profile__email__istartswith", "profile__external_id__istartswith", "topic__exact")
    search_help_text = "The beginning of an email address or of your own id, or a topic"
    ordering = ("-since", "-id")

    @display(description="Person")
    def person(self, row: ConsentState) -> SafeString:
        return wording.wide(row.profile)

    @display(description="Topic", ordering="topic")
    def topic_(self, row: ConsentState) -> str:
        return _topic(row.topic)

    @display(description="By")
    def channel_(self, row: ConsentState) -> str:
        return _channel(row.channel)

    @display(description="Choice", ordering="state")
    def state_(self, row: ConsentState) -> SafeString:
        return _state(row.state)

    @display(description="Since", ordering="since")
    def since_(self, row: ConsentState) -> SafeString:
        return wording.moment(row.since)

    def head(self, request: HttpRequest, row: ConsentState) -> Head:
        about = f"{_topic(row.topic)}, {_channel(row.channel).lower()}"
        return Head(f"{row.profile}: {about}", f"So since {wording.exact(row.since)}.", [_state(row.state)])

    def parts(self, request: HttpRequest, row: ConsentState) -> Sequence[Part]:
        return [
            stories.of(row.profile_id, row.topic, row.channel),
            Facts(title="Whose", aside=True, rows=[("Person", wording.link(row.profile, page_of(row.profile)))]),
        ]

    def fragments(self) -> dict[str, Serve]:
        return {"consent_of_person": _of_person}


def _of_person(request: HttpRequest, key: UUID) -> HttpResponse:
    """What somebody agreed to and how that came about, for their page."""
    rows = ConsentState.objects.filter(profile=key).order_by("topic", "channel")
    now = Table(
        title="Consent",
        headers=["Topic", "By", "Choice", "Since"],
        rows=[
            (wording.link(_topic(row.topic), page_of(row)), _channel(row.channel), _state(row.state), _since(row))
            for row in rows
        ],
        empty="They have chosen nothing yet: they get what needs no consent, and nothing else.",
        note=stories.wishes(key),
    )
    limits = [
        (
            row.get_kind_display(),
            format_html("{}{}", wording.moment(row.since), f": {row.reason}" if row.reason else ""),
        )
        for row in Limit.objects.filter(profile=key).order_by("since")
    ]
    asked = [
        (row.get_kind_display(), wording.link("Open until " + f"{row.due_on:%-d %B %Y}", page_of(row)))
        for row in PrivacyRequest.objects.filter(profile=key, closed_at=None).order_by("due_on")
    ]
    about = Facts(title="Limits and requests", rows=[*limits, *asked], note="A limit is lifted on its request.")
    return fragment(request, [now, *([about] if limits or asked else []), stories.of(key)])


def _since(row: ConsentState) -> SafeString:
    return wording.moment(row.since)


# ── How it came about ────────────────────────────────────────────────────────────────────────────────────────────────
@admin.register(ConsentRecord)
class ConsentRecordAdmin(ReadOnlyAdmin):
    empty = "Every decision is written down here when it is made, and can never be changed or removed."
    list_display = ("whose", "topic_", "channel_", "state_", "how", "recorded")
    list_before_template = "admin/consent/over_time.html"
    list_filter = (
        topics.TopicFilter,
        ("state", ChoicesDropdownFilter),
        ("source", ChoicesDropdownFilter),
        ("recorded_at", RangeDateTimeFilter),
    )
    list_filter_submit = True
    ordering = ("-recorded_at", "-id")

    @display(description="Person")
    def whose(self, row: Any) -> SafeString:
        return wording.wide(_owner(row)) if row.owner else wording.quiet("erased")

    @display(description="Topic")
    def topic_(self, row: ConsentRecord) -> str:
        return _topic(row.topic)

    @display(description="By")
    def channel_(self, row: ConsentRecord) -> str:
        return _channel(row.channel)

    @display(description="Decision")
    def state_(self, row: ConsentRecord) -> SafeString:
        return _state(row.state)

    @display(description="How")
    def how(self, row: ConsentRecord) -> str:
        return row.get_source_display()

    @display(description="Written down", ordering="recorded_at")
    def recorded(self, row: ConsentRecord) -> SafeString:
        return wording.moment(row.recorded_at)

    def head(self, request: HttpRequest, row: Any) -> Head:
        whose = str(_owner(row)) if row.owner else "Somebody who was erased"
        lead = f"{whose}, {wording.exact(row.occurred_at)}: {row.get_source_display()}."
        return Head(f"{_topic(row.topic)}, {_channel(row.channel).lower()}", lead, [_state(row.state)])

    def parts(self, request: HttpRequest, row: Any) -> Sequence[Part]:
        shown = Wording.objects.filter(digest=row.wording).first() if row.wording else None
        proof = ConsentEvidence.objects.filter(record=row.id).first()
        owner = _owner(row) if row.owner else None
        return [
            Prose(
                title="What they were shown",
                text=shown.text if shown else "",
                empty="Nothing is kept of what was shown.",
            ),
            Facts(
                title="Evidence",
                rows=[(wording.spoken(name), wording.readable(value)) for name, value in proof.data.items()]
                if proof
                else [],
                empty="It was erased with the person." if row.evidence else "There is none beyond this entry.",
            ),
            Facts(
                title="The entry",
                aside=True,
                note="It can never be changed or removed; `manage.py verify_ledger` proves it.",
                rows=[
                    ("Person", wording.link(owner, page_of(owner)) if owner else "erased"),
                    ("Place in their ledger", wording.amount(row.seq)),
                    ("How", row.get_source_display()),
                    ("By", stories.who(row.actor)),
                    ("Language shown", row.locale),
                    ("Happened", wording.moment(row.occurred_at)),
                    ("Written down", wording.moment(row.recorded_at)),
                ],
            ),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The list, under the same decisions week by week."""
        title = "Consent over time, by week"
        part = topics.over_time(request.GET.get("topic", ""), request.GET.get("source__exact", ""), title=title)
        return super().changelist_view(request, {**(extra_context or {}), "part": part})

    def get_queryset(self, request: HttpRequest) -> QuerySet[ConsentRecord]:
        # The ledger names nobody: whose it is stands in the link that erasure cuts.
        names = ("first_name", "last_name", "email", "external_id")
        owner = JSONObject(id="profile_id", **{name: f"profile__{name}" for name in names})
        subject = Subject.objects.filter(ref=OuterRef("subject_ref"))
        return super().get_queryset(request).annotate(owner=Subquery(subject.values(json=owner)))


def _owner(row: Any) -> Profile:
    return Profile(**row.owner)


@admin.register(RefusedUpgrade)
class RefusedUpgradeAdmin(ReadOnlyAdmin):
    empty = "When a program or an import says yes for somebody who said no, it is refused, and listed here."
    list_display = ("person", "topic_", "channel_", "how", "by", "at_")
    list_select_related = ("profile",)
    ordering = ("-at", "-id")

    @display(description="Person")
    def person(self, row: RefusedUpgrade) -> SafeString:
        return wording.wide(row.profile)

    @display(description="Topic")
    def topic_(self, row: RefusedUpgrade) -> str:
        return _topic(row.topic)

    @display(description="By")
    def channel_(self, row: RefusedUpgrade) -> str:
        return _channel(row.channel)

    @display(description="Came by")
    def how(self, row: RefusedUpgrade) -> str:
        return ConsentRecord.Source(row.source).label

    @display(description="Who tried")
    def by(self, row: RefusedUpgrade) -> str:
        return stories.who(row.actor)

    @display(description="When", ordering="at")
    def at_(self, row: RefusedUpgrade) -> SafeString:
        return wording.moment(row.at)

    def head(self, request: HttpRequest, row: RefusedUpgrade) -> Head:
        return Head(f"{row.profile}: {_topic(row.topic)}", "Somebody said yes for them after they had said no.")

    def parts(self, request: HttpRequest, row: RefusedUpgrade) -> Sequence[Part]:
        return [
            Prose(title="Why it was refused", text=row.reason),
            Facts(
                title="The attempt",
                rows=[
                    ("Person", wording.link(row.profile, page_of(row.profile))),
                    ("Topic", _topic(row.topic)),
                    ("By", _channel(row.channel)),
                    ("Came by", self.how(row)),
                    ("Who tried", self.by(row)),
                    ("When", wording.moment(row.at)),
                ],
            ),
        ]


# ── Who is not written to ────────────────────────────────────────────────────────────────────────────────────────────
@admin.register(Suppression)
class SuppressionAdmin(ReadOnlyAdmin):
    empty = "Addresses that bounce, complain or were erased are blocked, and listed here without their names."
    list_display = ("reason_", "channel_", "scope_", "at_")
    list_filter = (("reason", ChoicesDropdownFilter), ("scope", ChoicesDropdownFilter))
    search_fields = ("address_hash",)
    search_help_text = "A whole address or number, to see whether it is blocked; no address is kept here"
    ordering = ("-at", "-id")

    @display(description="Why", ordering="reason")
    def reason_(self, row: Suppression) -> str:
        return row.get_reason_display()

    @display(description="By")
    def channel_(self, row: Suppression) -> str:
        return _channel(row.channel)

    @display(description="What is blocked")
    def scope_(self, row: Suppression) -> str:
        return row.get_scope_display()

    @display(description="Since", ordering="at")
    def at_(self, row: Suppression) -> SafeString:
        return wording.moment(row.at)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        return queryset.filter(address_hash=suppression.hash_of(search_term)), False

    def head(self, request: HttpRequest, row: Suppression) -> Head:
        return Head(f"A blocked address: {row.get_reason_display().lower()}", f"{row.get_scope_display()} is blocked.")

    def parts(self, request: HttpRequest, row: Suppression) -> Sequence[Part]:
        return [
            Facts(
                title="About it",
                note="The address itself is not kept, only a fingerprint by which it is known again.",
                rows=[
                    ("Why", row.get_reason_display()),
                    ("What is blocked", row.get_scope_display()),
                    ("By", _channel(row.channel)),
                    ("Since", wording.moment(row.at)),
                    ("Note", row.note),
                ],
            )
        ]
