"""Why somebody is on a journey, or is not: everything that was to be checked, in order, with what was found."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from foundation.errors import Conflict
from foundation.wording import exact, plural, readable
from journeys import entering, names, reentry
from journeys import program as programs
from journeys.kinds import Trigger
from journeys.matching import Renames
from journeys.models import Appointment, Enrollment, EnrollmentState, Journey, Refusal
from journeys.program import Program
from journeys.triggers.date import Date
from journeys.triggers.event import Event
from journeys.triggers.schedule import Schedule
from journeys.triggers.segment_entered import SegmentEntered
from profiles import people
from profiles.models import Event as Happening
from profiles.models import EventType, Profile
from profiles.pulses import Triggering
from segments.language import Asked
from segments.membership import TRIGGERING
from segments.models import Membership, MembershipChange

_LOOKED_AT = 200  # of the events that might have started it, the latest


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked. `holds` is None where nothing hangs on it; `at` is when it came to be so."""

    what: str
    expected: str
    found: str
    holds: bool | None = None
    at: datetime | None = None
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Explanation:
    """`entered`: whether they are or were on it; `why` is the whole in a sentence."""

    entered: bool
    why: str
    checks: list[Check]


def explain(profile: Profile, journey: Journey, *, now: datetime) -> Explanation:
    """What decides whether this person enters the journey, as it stands at `now`, and what came of it before."""
    if journey.version_id is None:
        status = Check("The journey", "is live", "It was never published.", False)
        return Explanation(False, "The journey was never published.", [status])
    program = programs.of([journey.version_id]).get(journey.version_id)
    if program is None:
        raise Conflict("The journey's version cannot be read by this release.")
    enrollments = list(Enrollment.objects.filter(profile=profile, journey=journey).order_by("entered_at", "id"))
    with names.known(use for trigger in program.triggers for use in trigger.uses(trigger.given, "")):
        triggers = [_trigger(trigger, profile, enrollments, now) for trigger in program.triggers]
    checks = [
        _status(journey),
        *triggers,
        _rule(program, journey, enrollments, now),
        *_filter(program, profile, now),
        *_refusals(profile, journey),
        *(_entered(one) for one in enrollments),
    ]
    return Explanation(bool(enrollments), _why(enrollments, checks), checks)


def _why(enrollments: list[Enrollment], checks: list[Check]) -> str:
    if enrollments:
        last = enrollments[-1]
        how = "is on the way" if last.state == EnrollmentState.ACTIVE else last.reason.rstrip(".").lower()
        return f"Entered on {exact(last.entered_at)}: {how}."
    triggers = [check for check in checks if check.what == _TRIGGER]
    if triggers and not any(check.holds for check in triggers):
        return "Did not enter: nothing of what starts it has happened."
    failed = next((check for check in checks if check.holds is False and check.what != _TRIGGER), None)
    if failed is not None:
        return f"Did not enter: {failed.what[:1].lower()}{failed.what[1:]} {failed.expected}, and that is not so."
    return "Did not enter. All that is asked now holds: it may not have, when what starts it happened."


_TRIGGER = "What starts it"


def _status(journey: Journey) -> Check:
    live = journey.status == Journey.Status.LIVE
    return Check("The journey", "is live", f"It is {journey.get_status_display().lower()}.", live, journey.paused_at)


# ── What starts it ───────────────────────────────────────────────────────────────────────────────────────────────────
def _trigger(trigger: Trigger, profile: Profile, enrollments: list[Enrollment], now: datetime) -> Check:
    match trigger:
        case Event():
            found, at = _did(trigger, profile, now)
        case SegmentEntered():
            found, at = _came(trigger, profile)
        case Date():
            found, at = _date(trigger, profile, now)
        case Schedule():
            found, at = _in_segment(trigger, profile, now)
        case _:
            mine = [one for one in enrollments if one.entry_key.startswith(f"{trigger.key}:")]
            at = mine[-1].entered_at if mine else None
            found = "That has happened." if mine else "That has not happened."
    return Check(_TRIGGER, trigger.sentence(), found, at is not None, at)


def _did(trigger: Event, profile: Profile, now: datetime) -> tuple[str, datetime | None]:
    renames = Renames.read()
    types = {
        id: name
        for id, name in EventType.objects.values_list("pk", "name")
        if trigger.pattern.named(name, renames.of(name))
    }
    rows = Happening.objects.filter(profile=profile, type__in=list(types), occurred_at__lte=now)
    latest = list(
        rows.order_by("-occurred_at", "-id").values_list("id", "message_id", "type_id", "occurred_at", "properties")[
            :_LOOKED_AT
        ]
    )
    events = [
        Triggering(id, message, profile.pk, types[type_], at, properties)
        for id, message, type_, at, properties in reversed(latest)
    ]
    meant = trigger.pattern.among(events, renames, now)
    if meant:
        return "They did it, last at that time.", meant[-1].occurred_at
    if events:
        return f"They did it {plural(len(events), 'time')}, but not so.", None
    return "They never did it.", None


def _came(trigger: SegmentEntered, profile: Profile) -> tuple[str, datetime | None]:
    changes = MembershipChange.objects.filter(segment__slug=trigger.given["slug"], profile=profile)
    last = changes.filter(entered=trigger.entered).order_by("-at", "-id").first()
    if last is not None and last.cause in TRIGGERING:
        return "That happened, last at that time.", last.at
    if last is not None:
        return f"That happened on {exact(last.at)} by {last.get_cause_display().lower()}, which starts nothing.", None
    inside = Membership.objects.filter(segment__slug=trigger.given["slug"], profile=profile).exists()
    return ("They are in it, and have been from the start." if inside else "They are not in it."), None


def _date(trigger: Date, profile: Profile, now: datetime) -> tuple[str, datetime | None]:
    value = people.attributes_of(profile).get(trigger.attribute)
    at = trigger.moment(value, profile.timezone, now)
    planned = Appointment.objects.filter(profile=profile, round__trigger=trigger.given).first()
    if planned is not None and at is not None:
        return f"That is on {exact(planned.at)}.", None
    if value is None:
        return "The date is not known.", None
    return f"It is {readable(value)}: that has passed, or is no date.", None


def _in_segment(trigger: Schedule, profile: Profile, now: datetime) -> tuple[str, datetime | None]:
    member = Membership.objects.filter(segment__slug=trigger.segment, profile=profile).first()
    following = trigger.following(now)
    if member is None:
        return "They are not in the segment.", None
    return f"They are in the segment; the next time is {exact(following) if following else 'never'}.", member.entered_at


# ── Whether they may ─────────────────────────────────────────────────────────────────────────────────────────────────
def _rule(program: Program, journey: Journey, enrollments: list[Enrollment], now: datetime) -> Check:
    document = journey.version.document if journey.version else {}
    expected = reentry.sentence(document.get("entry", {}).get("reentry"))
    if not enrollments:
        return Check("How often", expected, "They have not taken part.", True)
    found = f"They have taken part {plural(len(enrollments), 'time')}."
    past = entering.Past(
        any(one.state == EnrollmentState.ACTIVE for one in enrollments), max(one.entered_at for one in enrollments)
    )
    refusal = entering.against(program.rule, past, "", now)
    return Check("How often", expected, refusal[1] if refusal else found, refusal is None, past.last)


def _filter(program: Program, profile: Profile, now: datetime) -> Iterator[Check]:
    if program.filter is None:
        return
    asked = Asked(uuid4(), profile.pk, now, now, None)
    for finding in program.filter.explain(profile.pk, at=now, asked=asked):
        what = "Whoever enters" if not finding.depth else "Of that"
        yield Check(what, finding.sentence, finding.found, finding.holds, depth=finding.depth)


def _refusals(profile: Profile, journey: Journey) -> Iterator[Check]:
    for one in Refusal.objects.filter(profile=profile, journey=journey).order_by("at"):
        yield Check("Was kept out", plural(one.times, "time"), one.reason, None, one.at)


def _entered(one: Enrollment) -> Check:
    state = one.reason or f"On the way, at the step {one.step}."
    return Check("Entered", one.get_state_display(), state, None, one.entered_at)
