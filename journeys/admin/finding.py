"""On a journey's page: find a person, and read why they are on it or not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from django.http import HttpRequest
from django.utils.safestring import SafeString

from foundation import wording
from foundation.admin import page_of
from foundation.pages import Part, Table
from journeys import explaining
from journeys.explaining import Check
from journeys.models import Journey
from profiles import people
from profiles.models import Profile


@dataclass(frozen=True, kw_only=True)
class Find(Part):
    """A field to name a person in, and the answer in a sentence."""

    template: ClassVar[str] = "journeys/find.html"
    person: str = ""
    answer: str | SafeString = ""


def parts(request: HttpRequest, journey: Journey) -> Sequence[Part]:
    asked = request.GET.get("person", "").replace("\x00", "").strip()[:300]
    title = "Why is somebody on it, or not?"
    if not asked:
        return [Find(title=title)]
    profile = people.find(asked) or Profile.objects.filter(email__iexact=asked).order_by("pk").first()
    if profile is None:
        return [Find(title=title, person=asked, answer="Nobody here has that id or email address.")]
    told = explaining.explain(profile, journey, now=wording.now())
    rows = [_row(check) for check in told.checks]
    return [
        Find(title=title, person=asked, answer=told.why),
        Table(
            title=f"What was checked for {profile}",
            headers=["", "What", "Expected", "Found", "When"],
            rows=rows,
            empty="",
            more=("The person", page_of(profile)),
        ),
    ]


def _row(check: Check) -> tuple[object, ...]:
    sign = {True: wording.badge("Yes", "good"), False: wording.badge("No", "bad"), None: ""}[check.holds]
    when = wording.moment(check.at) if check.at else ""
    indent = "\u2003" * check.depth
    return sign, f"{indent}{check.what}", wording.wide(check.expected), wording.wide(check.found), when
