"""How what is known about a person shapes what they get, told to them: the groups they are in, the ways they are on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.template.loader import render_to_string

from consent.wordings import day


@dataclass(frozen=True, slots=True)
class Group:
    """A group of people that they belong to, and by what: a sentence, or "" where somebody put them in by hand."""

    name: str
    because: str
    since: datetime


def groups(found: Sequence[Group]) -> str:
    """The groups as HTML for the person's page, in their language; "" where there are none."""
    rows = [{"name": one.name, "because": one.because, "since": day(one.since)} for one in found]
    return render_to_string("consent/groups.html", {"rows": rows}) if rows else ""


def ways(names: Sequence[str]) -> str:
    """The series of messages that they are in the middle of; "" where there are none."""
    return render_to_string("consent/ways.html", {"names": names}) if names else ""
