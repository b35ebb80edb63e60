"""The data catalogue: the names of what people do and of what is known about them."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from foundation import clock, wording
from foundation.admin import ReadOnlyAdmin
from foundation.pages import Facts, Head, Part, Prose, Table, Verb
from profiles import catalogue
from profiles.models import AttributeType, EventType

_TONES: dict[str, wording.Tone] = {"new": "calm", "approved": "good", "blocked": "bad"}


def _status(row: EventType | AttributeType) -> SafeString:
    if isinstance(row, EventType) and row.renamed_to is not None:
        return wording.badge(f"Now {row.renamed_to.name}")
    return wording.badge(row.get_status_display(), _TONES[row.status])


def _decisions(row: EventType | AttributeType, question: str) -> list[Verb]:
    """The buttons that lead to another status than the row's own."""
    offered = {
        EventType.Status.APPROVED: Verb("approve", "Approve"),
        EventType.Status.BLOCKED: Verb("block", "Block", question, True),
    }
    return [verb for status, verb in offered.items() if status != row.status]


def _decide(row: EventType | AttributeType, verb: str, meaning: str) -> str:
    if verb == "approve":
        catalogue.approve(row, now=clock.now())
        return f"{row.name} is approved."
    catalogue.block(row, now=clock.now())
    return f"{row.name} is blocked: {meaning}."


@admin.register(EventType)
class EventTypeAdmin(ReadOnlyAdmin):
    empty = (
        "Each kind of event is listed here from the first time that it arrives, with how often and what comes with it."
    )
    list_display = ("name_", "lately", "ever", "seen", "status_")
    list_filter = (("status", ChoicesDropdownFilter),)
    search_fields = ("name",)
    ordering = ("-volume_30_days", "name")

    @display(description="What people do", ordering="name")
    def name_(self, kind: EventType) -> SafeString:
        return wording.wide(kind.name)

    @display(description="In 30 days", ordering="volume_30_days")
    def lately(self, kind: EventType) -> str:
        return wording.amount(kind.volume_30_days)

    @display(description="Ever", ordering="volume")
    def ever(self, kind: EventType) -> str:
        return wording.amount(kind.volume)

    @display(description="Last seen", ordering="last_seen_at")
    def seen(self, kind: EventType) -> SafeString:
        return wording.moment(kind.last_seen_at)

    @display(description="Status", ordering="status")
    def status_(self, kind: EventType) -> SafeString:
        return _status(kind)

    def head(self, request: HttpRequest, row: EventType) -> Head:
        often = (
            f"{wording.plural(row.volume_30_days, 'time')} in the last 30 days, {wording.amount(row.volume)} in all."
        )
        return Head(row.name, f"Done {often} Last {wording.ago(row.last_seen_at)}.", [_status(row)])

    def parts(self, request: HttpRequest, row: EventType) -> Sequence[Part]:
        return [
            Prose(title="What it means", text=row.description, empty="Nobody has described it yet."),
            Table(
                title="What comes with it",
                headers=["Property", "Kind of value", "For example"],
                rows=[_property(name, known) for name, known in sorted(row.properties.items())],
                empty="Properties that arrive with it are listed here within a minute or so, with examples.",
            ),
            Facts(
                title="About it",
                aside=True,
                rows=[
                    ("First seen", wording.moment(row.first_seen_at)),
                    ("Last seen", wording.moment(row.last_seen_at)),
                    ("Owner", str(row.owner) if row.owner else ""),
                    ("Must carry", ", ".join(row.required)),
                    ("Its name today", row.renamed_to.name if row.renamed_to else ""),
                ],
            ),
        ]

    def verbs(self, request: HttpRequest, row: EventType) -> Sequence[Verb]:
        if row.name.startswith("$") or not request.user.has_perm("profiles.change_eventtype"):
            return []
        if row.renamed_to is not None:
            return []
        return _decisions(row, f"{row.name} will be refused from now on. Block it?")

    def act(self, request: HttpRequest, row: EventType, verb: str) -> str:
        return _decide(row, verb, "it is refused, with this reason, from now on")

    def get_queryset(self, request: HttpRequest) -> QuerySet[EventType]:
        return super().get_queryset(request).select_related("owner", "renamed_to")


def _property(name: str, known: Any) -> tuple[object, ...]:
    """`known` is what the catalogue keeps of a property: the types seen and some values."""
    seen = known if isinstance(known, dict) else {}
    samples = seen.get("samples", seen.get("values", []))
    return (
        format_html("<bdi>{}</bdi>", name),
        _types(seen.get("types", [])),
        wording.readable(
            [wording.shortened(str(value), 60) for value in samples[:5]] if isinstance(samples, list) else samples
        ),
    )


_KINDS = {
    "string": "text",
    "number": "number",
    "boolean": "yes or no",
    "bool": "yes or no",
    "array": "list",
    "object": "several values",
    "null": "empty",
    "datetime": "moment",
    "date": "date",
}


def _types(types: Any) -> str:
    return ", ".join(_KINDS.get(str(name), str(name)) for name in types)


@admin.register(AttributeType)
class AttributeTypeAdmin(ReadOnlyAdmin):
    empty = "Each value that is known of people and companies is listed here from the first time that it arrives."
    list_display = ("name_", "of_", "kinds", "have", "seen", "status_")
    list_filter = (("of", ChoicesDropdownFilter), ("status", ChoicesDropdownFilter))
    search_fields = ("name",)
    ordering = ("of", "name")

    @display(description="Value", ordering="name")
    def name_(self, kind: AttributeType) -> SafeString:
        return wording.wide(kind.name)

    @display(description="Of", ordering="of")
    def of_(self, kind: AttributeType) -> str:
        return "a person" if kind.of == AttributeType.Of.PROFILE else "a company"

    @display(description="Kind of value")
    def kinds(self, kind: AttributeType) -> str:
        return _types(kind.types)

    @display(description="Have it", ordering="volume")
    def have(self, kind: AttributeType) -> str:
        return wording.amount(kind.volume)

    @display(description="Last seen", ordering="last_seen_at")
    def seen(self, kind: AttributeType) -> SafeString:
        return wording.moment(kind.last_seen_at)

    @display(description="Status", ordering="status")
    def status_(self, kind: AttributeType) -> SafeString:
        return _status(kind)

    def head(self, request: HttpRequest, row: AttributeType) -> Head:
        return Head(
            row.name, f"A value that is known of {self.of_(row)}; {wording.amount(row.volume)} have it.", [_status(row)]
        )

    def parts(self, request: HttpRequest, row: AttributeType) -> Sequence[Part]:
        return [
            Prose(title="What it means", text=row.description, empty="Nobody has described it yet."),
            Facts(
                title="What it looks like",
                rows=[
                    ("Kind of value", _types(row.types)),
                    ("For example", wording.readable(row.samples[:10]) if row.samples else ""),
                ],
                empty="Examples are gathered within a minute or so after it arrives.",
            ),
            Facts(
                title="About it",
                aside=True,
                rows=[
                    ("First seen", wording.moment(row.first_seen_at)),
                    ("Last seen", wording.moment(row.last_seen_at)),
                    ("Owner", str(row.owner) if row.owner else ""),
                ],
            ),
        ]

    def verbs(self, request: HttpRequest, row: AttributeType) -> Sequence[Verb]:
        if not request.user.has_perm("profiles.change_attributetype"):
            return []
        return _decisions(row, f"{row.name} will no longer be offered where a value is chosen. Block it?")

    def act(self, request: HttpRequest, row: AttributeType, verb: str) -> str:
        return _decide(row, verb, "it is no longer offered where a value is chosen")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AttributeType]:
        return super().get_queryset(request).select_related("owner")
