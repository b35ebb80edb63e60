"""How what is known about a person shapes what they get, told to them: the groups they are in, the ways they are on."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _

from consent.wordings import day
from foundation.wording import spoken


@dataclass(frozen=True, slots=True)
class Basis:
    """By what a group is drawn: names of what people did, of what is known of them and of their companies, and more."""

    did: Collection[str] = ()
    known: Collection[str] = ()
    company: Collection[str] = ()
    consent: bool = False
    messages: bool = False
    journeys: bool = False
    groups: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """A group of people that they belong to, and by what; None where somebody put them in by hand.

    `sentence` says it more closely, in English, for those who read English.
    """

    name: str
    because: Basis | None
    sentence: str
    since: datetime


def groups(found: Sequence[Group]) -> str:
    """The groups as HTML for the person's page, in their language; "" where there are none."""
    rows = [{"name": one.name, "because": _because(one), "since": day(one.since)} for one in found]
    return render_to_string("consent/groups.html", {"rows": rows}) if rows else ""


def _because(group: Group) -> str:
    if group.because is None:
        return _("Our staff put you there.")
    english = (translation.get_language() or "").startswith("en")
    return f"{group.sentence}." if english and group.sentence else told(group.because)


def told(basis: Basis) -> str:
    """By what a group is drawn, in a sentence in the language that is active now."""
    parts = [
        _with_names(_("what you did"), basis.did),
        _with_names(_("what the product knows of you"), basis.known),
        _with_names(_("what it knows of your company"), basis.company),
        _("what you agreed to") if basis.consent else "",
        _("what you did with our messages") if basis.messages else "",
        _("in which of our series of messages you are or were") if basis.journeys else "",
        _("in which other groups you are") if basis.groups else "",
    ]
    said = ", ".join(filter(None, parts))
    return _("It goes by %s.") % said if said else _("Rules that our staff wrote decide it.")


def _with_names(text: str, names: Collection[str]) -> str:
    """With the names as the product gives them; "*" stands for anything, and is no name."""
    listed = ", ".join(sorted(spoken(name) for name in names if name != "*"))
    return (f"{text} ({listed})" if listed else text) if names else ""


def ways(names: Sequence[str]) -> str:
    """The series of messages that they are in the middle of; "" where there are none."""
    return render_to_string("consent/ways.html", {"names": names}) if names else ""
