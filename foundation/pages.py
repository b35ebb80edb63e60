"""What staff pages are made of: facts, tables, stories, flows, a caged mail, and parts fetched from apps above."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from typing import ClassVar

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString

# Nothing runs and nothing is fetched in a shown mail, whatever is in it: this, and an iframe that is sandboxed whole.
_CAGE = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"


@dataclass(frozen=True, kw_only=True)
class Part:
    """One card of a page. `aside`: in the narrow column; `note`: one quiet sentence under its title."""

    template: ClassVar[str]
    title: str
    note: str = ""
    aside: bool = False


@dataclass(frozen=True, kw_only=True)
class Facts(Part):
    """Names and what they hold; rows whose value is "" or None are left out."""

    template = "admin/cairn/facts.html"
    rows: Sequence[tuple[str, object]]
    empty: str = "Nothing is known yet."

    @property
    def shown(self) -> list[tuple[str, object]]:
        return [(name, value) for name, value in self.rows if value not in ("", None)]


@dataclass(frozen=True, kw_only=True)
class Table(Part):
    """Rows under headers. `more`: a (text, address) to the whole list."""

    template = "admin/cairn/table.html"
    headers: Sequence[str]
    rows: Sequence[Sequence[object]]
    empty: str
    more: tuple[str, str] | None = None


@dataclass(frozen=True)
class Entry:
    """One line of a story: what happened, when, and what is to be said of it."""

    what: str | SafeString
    when: str | SafeString = ""
    why: str | SafeString = ""
    icon: str = "circle"


@dataclass(frozen=True, kw_only=True)
class Story(Part):
    """What happened, newest first. `older`: the address of the fragment with what went before."""

    template = "admin/cairn/story.html"
    entries: Sequence[Entry]
    empty: str
    older: str = ""


@dataclass(frozen=True)
class Line:
    """One line of a flow, `depth` steps in. `tag` is the word that opens it ("Wait", "Any of"), `note` what follows."""

    depth: int
    text: str | SafeString
    tag: str = ""
    note: str | SafeString = ""


@dataclass(frozen=True, kw_only=True)
class Flow(Part):
    """A nested structure (a condition, a journey) as indented sentences."""

    template = "admin/cairn/flow.html"
    lines: Sequence[Line]
    empty: str = ""


@dataclass(frozen=True, kw_only=True)
class Mail(Part):
    """A mail as the customer sees it, caged; and its plain text."""

    template = "admin/cairn/mail.html"
    subject: str = ""
    html: str = ""
    text: str = ""
    empty: str = "Nothing has been rendered yet."

    @property
    def document(self) -> str:
        """The `srcdoc`: the mail under a policy of its own, which allows no script, no request and no form."""
        return f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{escape(_CAGE)}">{self.html}'


@dataclass(frozen=True, kw_only=True)
class Fragment(Part):
    """A part that an app above serves under `address`; fetched when the page stands."""

    template = "admin/cairn/fragment.html"
    address: str


@dataclass(frozen=True)
class Number:
    """One figure with its name; `address` leads to what it counts."""

    name: str
    value: str
    note: str = ""
    address: str = ""
    icon: str = ""


@dataclass(frozen=True, kw_only=True)
class Numbers(Part):
    template = "admin/cairn/numbers.html"
    numbers: Sequence[Number]


@dataclass(frozen=True, kw_only=True)
class Prose(Part):
    template = "admin/cairn/prose.html"
    text: str | SafeString
    empty: str = ""


@dataclass(frozen=True)
class Verb:
    """A button on a page: `key` is what it sends, `question` is asked first where the act is hard to take back.

    With an `address` it is a link that leads there, and sends nothing.
    """

    key: str
    label: str
    question: str = ""
    danger: bool = False
    address: str = ""


@dataclass(frozen=True)
class Head:
    """The top of a page: `lead` is one sentence that says how things stand."""

    title: str
    lead: str | SafeString = ""
    badges: Sequence[SafeString] = field(default_factory=list)
    since: datetime | None = None


def fragment(request: HttpRequest, parts: Sequence[Part]) -> HttpResponse:
    """The answer to a page that asked for these parts."""
    return render(request, "admin/cairn/parts.html", {"parts": parts})
