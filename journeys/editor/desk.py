"""One request at the editor: the journey, its newest revision, what the browser shows, and what is answered."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from foundation import clock, wording
from journeys import numbers
from journeys.editor import flow, presence, revisions, words
from journeys.editor.flow import Flow, Swap
from journeys.editor.known import Known
from journeys.editor.opened import Panel
from journeys.editor.panels import panel
from journeys.editor.shape import Document
from journeys.models import Journey, Revision

CLIPBOARD = "journey_clipboard"


@dataclass
class Desk:
    """`shown` is the revision that the browser has drawn; what differs from the newest is swapped in every answer."""

    request: HttpRequest
    journey: Journey
    say: str = ""
    focus: str = ""
    opened: Panel | None = None
    closes: bool = False
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.now = clock.now()
        self.head: Revision = revisions.head(self.journey, now=self.now)

    # ── What was sent ────────────────────────────────────────────────────────────────────────────────────────────────
    @property
    def is_part(self) -> bool:
        return bool(getattr(self.request, "htmx", False))

    @cached_property
    def shown(self) -> int:
        return _number(self.request.POST.get("revision") or self.request.GET.get("revision", ""))

    @cached_property
    def upon(self) -> int:
        """The revision that what was sent was made upon."""
        return _number(self.request.POST.get("upon", "")) or self.shown or self.head.number

    @property
    def document(self) -> Document:
        document: Document = self.head.document
        return document

    @cached_property
    def known(self) -> Known:
        return Known()

    @property
    def may_publish(self) -> bool:
        return self.request.user.has_perm("journeys.publish_journey")

    @property
    def sees_people(self) -> bool:
        return self.request.user.has_perm("journeys.view_enrollment")

    def open(self, name: str, data: Mapping[str, str] | None = None) -> Panel:
        """Opens a panel on the newest revision."""
        with words.known(self.document):
            self.opened = panel(self.document, name, self.known, data)
        return self.opened

    # ── What is shown ────────────────────────────────────────────────────────────────────────────────────────────────
    @property
    def base(self) -> str:
        return reverse("admin:journeys_journey_edit", args=[self.journey.pk])

    @cached_property
    def counts(self) -> numbers.Numbers | None:
        return numbers.of(self.journey) if self.journey.version_id else None

    @cached_property
    def flow(self) -> Flow:
        return flow.drawn(self.document, self.counts)

    @property
    def clipboard(self) -> str:
        """What is on the clipboard, in a word; "" where nothing is."""
        held = self.request.session.get(CLIPBOARD) or {}
        return "way" if "arm" in held else "steps" if held.get("steps") else ""

    def context(self) -> dict[str, Any]:
        ways = revisions.ways(self.journey)
        return {
            "desk": self,
            "journey": self.journey,
            "flow": self.flow,
            "base": self.base,
            "head": self.head,
            "undo": ways.undo,
            "redo": ways.redo,
            "saved": wording.ago(self.head.at),
            "saved_by": revisions.person(self.head.author),
            "panel_name": self.opened.name.strip("/") if self.opened else "",
            **(self.opened.context() if self.opened else {}),
            **self.extra,
        }

    # ── Answers ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def answer(self, *, status: int = 200) -> HttpResponse:
        """What changed, each piece for its place; without scripts the page as it stands now."""
        if not self.is_part:
            at = f"?at={self.opened.name.strip('/')}" if self.opened else ""
            return HttpResponseRedirect(f"{self.base}{at}")
        context = self.context() | {"swaps": self._swaps(), "with_panel": self.opened is not None or self.closes}
        with words.known(self.document):
            answer = render(self.request, "journeys/editor/swapped.html", context, status=status)
        if self.extra.get("whole"):
            answer["HX-Refresh"] = "true"
        answer["HX-Reswap"] = "none"  # each piece says itself where it goes
        answer["HX-Trigger-After-Settle"] = json.dumps({"journey:done": {"focus": self.focus, "say": self.say}})
        return answer

    def _swaps(self) -> list[Swap]:
        if not self.shown or self.shown == self.head.number:
            return []
        before = revisions.at(self.journey, self.shown)
        if before is None:  # too long ago to tell what changed since
            self.extra["whole"] = True
            return []
        return flow.swaps(flow.drawn(before.document, self.counts), self.flow)

    def others(self) -> list[presence.Other]:
        return presence.others(self.journey, self.request.user.get_username(), now=self.now)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
