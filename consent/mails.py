"""What the mails say that people get because they asked for something here, in the language that is active now."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from django.utils.translation import gettext as _


class Words(NamedTuple):
    """A subject, and what stands under it. No promotion, and no picture: it is what was asked for, and nothing more."""

    subject: str
    blocks: list[dict[str, str]]


def words(kind: str) -> Words:
    """Of one of the `KINDS`."""
    return KINDS[kind]()


def _link() -> Words:
    return _with_button(
        _("Your link"),
        _("You asked us for a new link to your page. For a day it shows and does everything; then it still says no."),
        _("Open my page"),
        "{{ links.preferences }}",
        _("If it was not you who asked, do nothing: nothing was changed."),
    )


def _confirm() -> Words:
    return _with_button(
        _("Please confirm"),
        _("You asked {{ brand.name }} for: {{ data.what }}. Open the page and press the button there; then it begins."),
        _("Go and confirm"),
        "{{ data.link }}",
        _("If it was not you, do nothing: you get nothing of it. The link works for 7 days."),
    )


def _request() -> Words:
    return _with_button(
        _("We have your request"),
        _("You asked us about your data. We answer by {{ data.due }} at the latest."),
        _("Open my page"),
        "{{ links.preferences }}",
        _("If it was not you who asked, do nothing: nothing was changed."),
    )


def _extended() -> Words:
    return _with_button(
        _("Your request takes longer"),
        _("You asked us about your data, and it takes us until {{ data.due }}. The reason: {{ data.reason }}"),
        _("Open my page"),
        "{{ links.preferences }}",
        _("You can complain to your data protection authority, or go to court."),
    )


def _data() -> Words:
    return _with_button(
        _("Your data"),
        _("You asked for your data. Your page has all of it, to read and to download; for a day this link shows it."),
        _("Open my page"),
        "{{ links.preferences }}",
        _("If the day is over, ask for a new link there."),
    )


def _lifted() -> Words:
    return _with_button(
        _("Your data is used again"),
        _("Your data was only stored, as you asked. From now on we use it as before. The reason: {{ data.reason }}"),
        _("Open my page"),
        "{{ links.preferences }}",
        _("If you do not want that, ask us there to restrict it again, or object."),
    )


def _with_button(title: str, text: str, button: str, href: str, after: str) -> Words:
    blocks = [
        {"kind": "heading", "text": title},
        {"kind": "text", "text": text},
        {"kind": "button", "text": button, "href": href},
        {"kind": "text", "text": after},
    ]
    return Words(title, blocks)


KINDS: Mapping[str, Callable[[], Words]] = {
    "link": _link,
    "confirm": _confirm,
    "request": _request,
    "extended": _extended,
    "data": _data,
    "lifted": _lifted,
}
"""By what they are for. What they may name beside the person is `data`, as whoever sends them says."""


def data(**values: Any) -> dict[str, Any]:
    """The values that a mail names, as the outbox takes them."""
    return {"data": values} if values else {}
