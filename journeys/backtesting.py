"""A document held against what really happened: who would have entered when, where they would have gone, what they
would have been sent. Everybody moves together, hour by hour, by the same answers of the same steps; nothing is written.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from foundation.errors import Invalid, Problem
from foundation.wording import amount, span
from journeys import documents, ending, reentry
from journeys import program as programs
from journeys.answers import Advance, Leave, WaitFor, WaitUntil
from journeys.fields import condition
from journeys.kinds import Entry, Happened, Standing
from journeys.matching import Renames
from journeys.models import EnrollmentState, JourneyVersion
from journeys.program import Node, Program
from journeys.triggers.date import Date
from journeys.triggers.event import Event
from journeys.triggers.schedule import Schedule
from journeys.triggers.segment_entered import SegmentEntered
from journeys.walking import Traveller
from profiles.models import Event as Happening
from profiles.models import EventType, Profile
from profiles.pulses import Triggering
from segments.kinds import Needs
from segments.language import Asked
from segments.membership import TRIGGERING, Change
from segments.models import Cause, Membership, MembershipChange

SECONDS = 20.0
MOST_ENTRIES = 2_000
MOST_DAYS = 90
_TICK = timedelta(hours=1)
_SAMPLE = 20
_MOST_PEOPLE = 20_000  # whose dates are read


@dataclass(slots=True)
class Traced:
    """Somebody's way through the document."""

    traveller: Traveller
    told: list[tuple[datetime, str, str]] = field(default_factory=list)  # when, step, arm
    said: list[tuple[datetime, str]] = field(default_factory=list)  # when, message step
    waits_for: bool = False


@dataclass(slots=True)
class Found:
    """What would have been. `cut` says what was left out, and `as_of_now` which answers are those of today."""

    since: datetime
    until: datetime
    entered: int = 0
    people: int = 0
    converted: int = 0
    states: dict[str, int] = field(default_factory=dict)
    refused: list[dict[str, Any]] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)
    arms: list[dict[str, Any]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    sample: list[dict[str, Any]] = field(default_factory=list)
    as_of_then: list[str] = field(default_factory=list)
    as_of_now: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    per_person: dict[UUID, int] = field(default_factory=dict)
    """How many messages each would have been sent, of those who would have been sent any."""


def backtest(slug: str, document: Any, *, days: int, now: datetime) -> Found:
    """Plays the document against the last `days` days. Raises `Invalid` for one that could not be published.

    Bounded in entries and in time; what is left out is said. Nobody does a task, guardrails are not asked, and what the
    document itself would have changed (values, segments, other journeys) is not seen by its conditions.
    """
    problems = documents.problems(document)
    if problems:
        raise Invalid([Problem(f"document.{one.path}".rstrip("."), one.reason) for one in problems])
    if isinstance(days, bool) or not 1 <= days <= MOST_DAYS:
        raise Invalid.at("days", f"must be between 1 and {MOST_DAYS}")
    version = JourneyVersion(pk=0, number=0, document=document, program=programs.compiled(document), journey_id=0)
    return _Run(slug, Program(version), document, now - timedelta(days=days), now).found()


class _Run:
    def __init__(self, slug: str, program: Program, document: Any, since: datetime, until: datetime) -> None:
        self.slug, self.program, self.document = slug, program, document
        self.out = Found(since, until)
        self.ends = time.monotonic() + SECONDS
        self.past: dict[UUID, list[tuple[datetime, str, Traced]]] = {}
        self.traced: list[Traced] = []
        self.refusals: Counter[tuple[str, str]] = Counter()

    def found(self) -> Found:
        entries = self._entries()
        at = self.out.since
        while at < self.out.until:
            at = min(at + _TICK, self.out.until)
            if time.monotonic() > self.ends:
                ago = span(self.out.until - at)
                self._leave_out(f"It took more than {SECONDS:g} seconds: what is told ends {ago} before now.")
                self.out.until = at
                break
            self._tick([entry for entry in entries if at - _TICK < entry.at <= at], at)
        self._reach_goals()
        self._tell()
        return self.out

    # ── Who would have entered ───────────────────────────────────────────────────────────────────────────────────────
    def _entries(self) -> list[Entry]:
        found: list[Entry] = []
        renames = Renames.read()
        for trigger in self.program.triggers:
            match trigger:
                case Event():
                    happened = Happened(events=self._events(trigger, renames), renames=renames)
                    found += trigger.entries(happened, self.out.until)
                case SegmentEntered():
                    for change in self._changes(trigger):
                        found += trigger.entries(Happened(changes=[change]), change.at)
                case Date():
                    found += self._dates(trigger)
                case Schedule():
                    found += self._schedule(trigger)
                case _:
                    self._leave_out(f"Who would have been put on it because {trigger.sentence()} is not known.")
        found.sort(key=lambda entry: entry.at)
        if len(found) > MOST_ENTRIES:
            self._leave_out(
                f"{amount(len(found))} times somebody would have been let in or kept out;"
                f" only the first {amount(MOST_ENTRIES)} are played."
            )
        return found[:MOST_ENTRIES]

    def _events(self, trigger: Event, renames: Renames) -> list[Triggering]:
        types = {
            id: name
            for id, name in EventType.objects.values_list("pk", "name")
            if trigger.pattern.named(name, renames.of(name))
        }
        rows = Happening.objects.filter(
            type__in=list(types), occurred_at__gt=self.out.since, occurred_at__lte=self.out.until
        )
        columns = ("id", "message_id", "profile_id", "type_id", "occurred_at", "properties")
        read = list(rows.order_by("occurred_at", "id").values_list(*columns)[: MOST_ENTRIES * 5 + 1])
        if len(read) > MOST_ENTRIES * 5:
            self._leave_out(f"Only the first {amount(MOST_ENTRIES * 5)} events that may start it are looked at.")
        return [
            Triggering(id, message, profile, types[type_], at, properties)
            for id, message, profile, type_, at, properties in read
        ]

    def _changes(self, trigger: SegmentEntered) -> list[Change]:
        rows = MembershipChange.objects.filter(
            segment__slug=trigger.given["slug"], at__gt=self.out.since, at__lte=self.out.until, entered=trigger.entered
        ).select_related("segment")
        return [
            Change(
                row.segment_id, row.segment.slug, row.profile_id, row.entered, row.at, Cause(row.cause),
                Cause(row.cause) in TRIGGERING,
            )
            for row in rows.order_by("at", "id")[: MOST_ENTRIES + 1]
        ]  # fmt: skip

    def _dates(self, trigger: Date) -> Iterator[Entry]:
        self._say_now(f"their {trigger.attribute}")
        column = trigger.attribute if trigger.attribute in Profile.COLUMNS else "pk"
        rows = Profile.objects.order_by("pk").values_list("pk", column, "attributes", "timezone")
        people = list(rows[: _MOST_PEOPLE + 1])
        if len(people) > _MOST_PEOPLE:
            self._leave_out(f"Dates are read of the first {amount(_MOST_PEOPLE)} people only.")
        for profile, held, attributes, zone in people[:_MOST_PEOPLE]:
            value = held if column != "pk" and held is not None else attributes.get(trigger.attribute)
            at = trigger.moment(value, zone, self.out.since)
            if at is not None and at <= self.out.until:
                yield Entry(profile, f"date:{at.isoformat()}", at, trigger.sentence(), {})

    def _schedule(self, trigger: Schedule) -> Iterator[Entry]:
        self._say_now(f"who is in the segment {trigger.segment}")
        members = Membership.objects.filter(segment__slug=trigger.segment).order_by("profile_id")
        people = list(members.values_list("profile_id", flat=True)[: MOST_ENTRIES + 1])
        at = trigger.following(self.out.since)
        while at is not None and at <= self.out.until:
            yield from (Entry(one, f"schedule:{at.isoformat()}", at, trigger.sentence(), {}) for one in people)
            at = trigger.following(at)

    def _admit(self, entries: Sequence[Entry], at: datetime) -> list[Traced]:
        rule = self.program.rule
        candidates = [(uuid4(), entry) for entry in entries]
        met = {id for id, _ in candidates}
        if self.program.filter is not None and candidates:
            asked = [Asked(id, entry.profile_id, entry.at, entry.at, None) for id, entry in candidates]
            met = self.program.filter.matching_each(asked, at=at)
        entered = []
        for id, entry in candidates:
            key = self._key(entry, rule)
            why = self._against(entry, key, rule)
            if why is None and id not in met:
                why = "filter", "They were not among those who may."
            if why is not None:
                self.refusals[why] += 1
                continue
            one = Traced(self._traveller(id, entry, at))
            self.past.setdefault(entry.profile_id, []).append((entry.at, key, one))
            self.out.entries.append({"profile_id": entry.profile_id, "at": entry.at, "why": entry.reason})
            entered.append(one)
        return entered

    def _key(self, entry: Entry, rule: reentry.Rule) -> str:
        if rule.key and "event" in entry.context:
            return str(entry.context["event"]["properties"].get(rule.key, ""))
        return entry.key

    def _against(self, entry: Entry, key: str, rule: reentry.Rule) -> tuple[str, str] | None:
        past = self.past.get(entry.profile_id, [])
        if rule.rule == reentry.EVERY_TIME:
            if not key:
                return "no_key", f"What happened has no {rule.key}, which tells one from another."
            return (
                ("same_key", "They entered for the same thing before.") if any(k == key for _, k, _ in past) else None
            )
        if any(one.traveller.active for _, _, one in past):
            return "on_the_way", "They are on the way already."
        if past and rule.rule == reentry.ONCE:
            return "took_part", "They took part already, and the journey takes everybody once."
        if past and max(at for at, _, _ in past) + rule.gap > entry.at:
            return "too_soon", f"They took part less than {span(rule.gap)} ago."
        return None

    def _traveller(self, id: UUID, entry: Entry, at: datetime) -> Traveller:
        return Traveller(
            id=id, journey_id=0, version_id=0, profile_id=entry.profile_id, step=self.program.first or "",
            state=EnrollmentState.ACTIVE, due_at=entry.at, awaits=[], entered_at=entry.at, step_entered_at=entry.at,
            context=dict(entry.context), passed=[], attempts=0, converted_at=None,
        )  # fmt: skip

    # ── Where they would have gone ───────────────────────────────────────────────────────────────────────────────────
    def _tick(self, entries: Sequence[Entry], at: datetime) -> None:
        on = [one for one in self.traced if one.traveller.active]
        self._exit(on, at)
        entered = self._admit(entries, at)
        self.traced += entered
        front = [one for one in on if one.waits_for or (one.traveller.due_at or at) <= at] + entered
        self._follow([one for one in front if one.traveller.active], at)

    def _exit(self, on: Sequence[Traced], at: datetime) -> None:
        if self.program.exit is None or not on:
            return
        left = ending.holding(self.program.exit, [one.traveller for one in on], at)
        for one in on:
            if one.traveller.id in left:
                one.traveller.state = EnrollmentState.EXITED

    def _follow(self, front: list[Traced], at: datetime) -> None:
        while front:
            groups: dict[str, list[Traced]] = {}
            for one in front:
                groups.setdefault(one.traveller.step, []).append(one)
            front = [one for step, group in groups.items() for one in self._ask(self.program.nodes[step], group, at)]

    def _ask(self, node: Node, group: Sequence[Traced], at: datetime) -> Iterator[Traced]:
        if node.step is None:
            return
        answers = node.step.answer([self._standing(one.traveller) for one in group], at)
        for one in group:
            mine = one.traveller
            one.waits_for = False
            match answers[mine.id]:
                case Advance(arm, _, learnt):
                    # A wait was over when it was due, and not when the hour was.
                    moment = min(at, max(mine.due_at or at, mine.step_entered_at))
                    mine.context = {**mine.context, **learnt}
                    one.told.append((moment, node.key, arm))
                    if node.kind == "message":
                        one.said.append((moment, node.key))
                    following = node.after(arm)
                    mine.step_entered_at, mine.due_at = moment, moment
                    if following is None:
                        mine.state = EnrollmentState.COMPLETED
                    else:
                        mine.step = following
                        yield one
                case WaitUntil(until, _):
                    mine.due_at = until
                case WaitFor(_, until, _):
                    mine.due_at, one.waits_for = until, True
                case Leave(_):
                    mine.state = EnrollmentState.EXITED

    def _standing(self, one: Traveller) -> Standing:
        return Standing(
            id=one.id, profile_id=one.profile_id, journey=self.slug, version_id=0, entered_at=one.entered_at,
            step_entered_at=one.step_entered_at, context=one.context,
        )  # fmt: skip

    # ── What would have come of it ───────────────────────────────────────────────────────────────────────────────────
    def _reach_goals(self) -> None:
        goal = self.program.goal
        if goal is None or not self.traced:
            return
        for one, at in ending.reached(goal, [each.traveller for each in self.traced], self.out.until):
            one.converted_at = at
        if goal.exit:
            for each in self.traced:
                self._cut(each)

    def _cut(self, one: Traced) -> None:
        """Whoever reached the goal goes no further, and hears nothing any more."""
        at = one.traveller.converted_at
        if at is not None and (one.traveller.active or any(moment > at for moment, _, _ in one.told)):
            one.traveller.state = EnrollmentState.EXITED
            one.told = [line for line in one.told if line[0] <= at]

    def _tell(self) -> None:
        out = self.out
        out.entered = len(self.traced)
        out.people = len({one.traveller.profile_id for one in self.traced})
        out.converted = sum(one.traveller.converted_at is not None for one in self.traced)
        out.states = dict(Counter(str(one.traveller.state) for one in self.traced))
        out.refused = [{"cause": cause, "why": why, "times": n} for (cause, why), n in self.refusals.most_common()]
        arms = Counter((step, arm) for one in self.traced for _, step, arm in one.told if arm)
        out.arms = [{"step": step, "arm": arm, "people": n} for (step, arm), n in sorted(arms.items())]
        self._tell_messages()
        self._tell_people()
        self._tell_times()

    def _tell_messages(self) -> None:
        given = {
            node.key: node.step.given for node in self.program.nodes.values() if node.step and node.kind == "message"
        }
        days: Counter[tuple[str, str]] = Counter()
        sent: Counter[str] = Counter()
        spared: Counter[str] = Counter()
        people: Counter[UUID] = Counter()
        for one in self.traced:
            converted = one.traveller.converted_at
            for at, step in one.said:
                if converted is not None and converted <= at:
                    spared[step] += 1
                if converted is None or at < converted or not (self.program.goal and self.program.goal.exit):
                    sent[step] += 1
                    people[one.traveller.profile_id] += 1
                    days[at.date().isoformat(), given[step]["channel"]] += 1
        self.out.per_person = dict(people)
        self.out.messages = [
            {"day": day, "channel": channel, "messages": n} for (day, channel), n in sorted(days.items())
        ]
        self.out.steps = [
            {
                "step": step,
                "channel": one["channel"],
                "template": one["template"],
                "messages": sent[step],
                "converted_before": spared[step],
            }
            for step, one in given.items()
        ]

    def _tell_people(self) -> None:
        names = dict(
            Profile.objects.filter(pk__in=[one["profile_id"] for one in self.out.entries]).values_list(
                "pk", "external_id"
            )
        )
        for one in self.out.entries:
            one["external_id"] = names.get(one.pop("profile_id"))
        self.out.sample = [
            {
                "external_id": names.get(one.traveller.profile_id),
                "entered_at": one.traveller.entered_at,
                "state": str(one.traveller.state),
                "converted_at": one.traveller.converted_at,
                "steps": [{"at": at, "step": step, "arm": arm} for at, step, arm in one.told],
            }
            for one in self.traced[:_SAMPLE]
        ]

    def _tell_times(self) -> None:
        needs = Needs()
        for _, given in documents.conditions(self.document):
            needs |= _needs(given)
        for _, step in documents.walk(self.document):
            for arm in step.get("arms") or []:
                if isinstance(arm, Mapping) and arm.get("when") is not None:
                    needs |= _needs(arm["when"])
        self.out.as_of_then = [
            "what people did",
            *(["who came into a segment, and who left"] if self._by_segment() else []),
        ]
        for name in sorted(needs.attributes):
            self._say_now(f"their {name}")
        for name in sorted(needs.account):
            self._say_now(f"their company's {name}")
        for slug in sorted(needs.segments):
            self._say_now(f"who is in the segment {slug}")
        if needs.consent:
            self._say_now("what they agreed to")

    def _by_segment(self) -> bool:
        return any(isinstance(trigger, SegmentEntered) for trigger in self.program.triggers)

    def _say_now(self, what: str) -> None:
        if what not in self.out.as_of_now:
            self.out.as_of_now.append(what)

    def _leave_out(self, sentence: str) -> None:
        if sentence not in self.out.cut:
            self.out.cut.append(sentence)


def _needs(given: Any) -> Needs:
    return condition(given).needs()
