"""Webhooks, for staff: which of your systems are told what happens here, and whether they took it."""

from collections.abc import Sequence

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from foundation import clock, wording
from foundation.admin import ReadOnlyAdmin, list_of, page_of
from foundation.pages import Facts, Head, Part, Table, Verb
from profiles import endpoints, telling
from profiles.models import Delivery, Endpoint

_TONES: dict[str, wording.Tone] = {"waiting": "calm", "done": "good", "failed": "bad"}


def _state(row: Delivery) -> SafeString:
    return wording.badge(row.get_state_display(), _TONES[row.state])


@admin.register(Endpoint)
class EndpointAdmin(ReadOnlyAdmin):
    empty = "Addresses of your systems that are told what happens here. They are made over the API (webhooks/)."
    list_display = ("name_", "hears", "stands", "since")
    ordering = ("created_at", "id")

    @display(description="Webhook")
    def name_(self, row: Endpoint) -> SafeString:
        return wording.wide(row)

    @display(description="Is told")
    def hears(self, row: Endpoint) -> str:
        return " ".join(told for kind, told in endpoints.KINDS.items() if not row.kinds or kind in row.kinds)

    @display(description="State")
    def stands(self, row: Endpoint) -> SafeString:
        return wording.badge("On", "good") if row.enabled else wording.badge("Off")

    @display(description="Since", ordering="created_at")
    def since(self, row: Endpoint) -> SafeString:
        return wording.moment(row.created_at)

    def head(self, request: HttpRequest, row: Endpoint) -> Head:
        waiting = row.deliveries.filter(state=Delivery.State.WAITING)[:1000].count()
        lead = f"{wording.plural(waiting, 'delivery', 'deliveries')} on the way." if waiting else "It was told all."
        return Head(str(row), lead, [self.stands(row)])

    def parts(self, request: HttpRequest, row: Endpoint) -> Sequence[Part]:
        return [
            Table(
                title="What it was told",
                headers=["What", "State", "When", "Answer"],
                rows=[
                    (
                        wording.link(wording.spoken(one.kind), page_of(one)),
                        _state(one),
                        wording.moment(one.at),
                        one.reason,
                    )
                    for one in row.deliveries.order_by("-at", "id")[:25]
                ],
                empty="Nothing has happened yet that it is told.",
                more=("All of it", list_of(Delivery, endpoint__id__exact=row.pk)),
            ),
            Facts(
                title="About it",
                aside=True,
                note="Each call is signed as Standard Webhooks says; the API shows the secret.",
                rows=[("Address", row.url), ("Is told", self.hears(row)), ("Since", wording.moment(row.created_at))],
            ),
        ]

    def verbs(self, request: HttpRequest, row: Endpoint) -> Sequence[Verb]:
        if not request.user.has_perm("profiles.change_endpoint"):
            return []
        return [Verb("off", "Switch off")] if row.enabled else [Verb("on", "Switch on")]

    def act(self, request: HttpRequest, row: Endpoint, verb: str) -> str:
        endpoints.save(row.pk, enabled=verb == "on", now=clock.now())
        return "It is told again what happens." if verb == "on" else "It is told nothing for now; what comes up waits."


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    empty = "What your webhooks are told is listed here for 30 days."
    list_display = ("what", "to", "state_", "tries", "at_")
    list_filter = (("state", ChoicesDropdownFilter),)
    list_select_related = ("endpoint",)
    ordering = ("-at", "id")

    @display(description="What")
    def what(self, row: Delivery) -> SafeString:
        return wording.wide(wording.spoken(row.kind))

    @display(description="To")
    def to(self, row: Delivery) -> str:
        return str(row.endpoint)

    @display(description="State", ordering="state")
    def state_(self, row: Delivery) -> SafeString:
        return _state(row)

    @display(description="When", ordering="at")
    def at_(self, row: Delivery) -> SafeString:
        return wording.moment(row.at)

    def head(self, request: HttpRequest, row: Delivery) -> Head:
        return Head(wording.spoken(row.kind), row.reason or "Not tried yet.", [_state(row)])

    def parts(self, request: HttpRequest, row: Delivery) -> Sequence[Part]:
        return [
            Facts(
                title="The delivery",
                rows=[
                    ("To", wording.link(row.endpoint, page_of(row.endpoint))),
                    ("Happened", wording.moment(row.at)),
                    ("Tries", wording.amount(row.tries)),
                    ("Last answer", row.reason),
                    ("Next try", wording.moment(row.due_at) if row.due_at else ""),
                    ("Ended", wording.moment(row.ended_at) if row.ended_at else ""),
                ],
            )
        ]

    def verbs(self, request: HttpRequest, row: Delivery) -> Sequence[Verb]:
        may = request.user.has_perm("profiles.change_delivery") and row.state != Delivery.State.WAITING
        return [Verb("again", "Deliver once more")] if may else []

    def act(self, request: HttpRequest, row: Delivery, verb: str) -> str:
        telling.again(row.pk, now=clock.now())
        return "It is delivered once more."
