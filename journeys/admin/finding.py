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
from journeys.models import Enrollment, Journey
from messaging.models import Message
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
        *_way(request, journey, profile),
    ]


def _way(request: HttpRequest, journey: Journey, profile: Profile) -> list[Part]:
    """What they were to get on their last way, what became of it and why; and where the whole way is told."""
    last = journey.enrollments.filter(profile=profile).order_by("-entered_at").first()
    return [messages(last, whose=str(profile))] if last and request.user.has_perm("messaging.view_message") else []


def messages(row: Enrollment, *, whose: str = "") -> Table:
    """The messages to somebody on their way; `whose`: told elsewhere than on the page of that way."""
    rows = Message.objects.filter(enrollment=row.pk).select_related("template").order_by("-queued_at", "-id")[:50]
    return Table(
        title=f"What {whose} was to get" if whose else "Messages",
        headers=["Message", "What became of it", "Why", "When"],
        rows=[
            (
                wording.wide(one.template.name),
                one.get_state_display(),
                wording.wide(one.reason),
                wording.moment(one.sent_at or one.queued_at),
            )
            for one in rows
        ],
        empty="Nothing was said to them on this journey.",
        more=("Their way, step by step", page_of(row)) if whose else None,
    )


def _row(check: Check) -> tuple[object, ...]:
    sign = {True: wording.badge("Yes", "good"), False: wording.badge("No", "bad"), None: ""}[check.holds]
    when = wording.moment(check.at) if check.at else ""
    indent = "\u2003" * check.depth
    return sign, f"{indent}{check.what}", wording.wide(check.expected), wording.wide(check.found), when
