"""What becomes of those on the way when a journey is changed: chosen group by group, and carried out in batches.

Until everybody is where the plan wants them, the journey stands still: nobody is moved on in a version that is gone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from foundation.errors import Conflict, Invalid, Problem
from foundation.sql import statements
from foundation.wording import plural
from journeys import documents, resuming, skipping, telling
from journeys import program as programs
from journeys.answers import Answer, WaitFor, WaitUntil
from journeys.fields import shown
from journeys.models import Ending, Journey, JourneyVersion
from journeys.program import Program
from journeys.walking import Traveller, Walk, concerns_everybody, read

RAMP = 1_000
"""How many people a minute go on, of those whom a pause or a change made late: no burst."""
AT_ONCE = 5_000  # up to so many are carried where it is published; more are by `engine.advance`
BATCH = 2_000
FOLLOW, FINISH, MOVE, EXIT = "follow", "finish", "move", "exit"
WAYS = (FOLLOW, FINISH, MOVE, EXIT)
_AN_INSTANT = timedelta(seconds=1)
_TAKEN_OFF = "The journey was changed, and staff chose that they leave."
_PUT = "The journey was changed, and staff chose that they go on here."
_sql = statements("journeys", "following")


@dataclass(frozen=True, slots=True)
class Choice:
    """What becomes of a group. `to` is the step of the new version that they are put on."""

    do: str
    to: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Those who stand on one step of one version."""

    version_id: int
    version: int
    step: str
    name: str
    people: int
    change: str
    """What the new version means for them, in a sentence."""
    choice: Choice | None
    """What becomes of them unless staff say otherwise; None: somebody must say."""

    @property
    def must_choose(self) -> bool:
        return self.choice is None

    @property
    def default(self) -> str:
        return self.choice.do if self.choice else ""

    @property
    def choices(self) -> tuple[str, ...]:
        """What staff may choose among: nobody can go on at a step that is not there."""
        return WAYS if self.choice else WAYS[1:]


# ── The plan ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def groups(journey: Journey, version: JourneyVersion) -> list[Group]:
    """Who stands where in other versions, the newest first and as it reads, and what `version` would mean for them.

    `version` may be a draft that is sound in itself.
    """
    rows = _sql.rows("standing", {"journey": journey.pk, "version": version.pk or 0})
    if not rows:
        return []
    if flaws := documents.flaws(version.document):
        raise Invalid([Problem(f"document.{flaw.path}".rstrip("."), flaw.reason) for flaw in flaws])
    steps = _steps(version)
    called = telling.names(version.document)
    before = {old.pk: old for old in JourneyVersion.objects.filter(pk__in={row[0] for row in rows})}
    names = {pk: telling.names(old.document) for pk, old in before.items()}
    found = []
    for version_id, number, step, people in rows:
        change, fits = _change(_steps(before[version_id]).get(step), steps.get(step), called.get(step, ""))
        # Whoever staff have let finish on an older version goes on doing so.
        default = Choice(FOLLOW if version_id == journey.version_id else FINISH)
        group = Group(
            version_id, number, step, names[version_id].get(step, step), people, change, default if fits else None
        )
        if not fits and version_id != journey.version_id:
            group = Group(version_id, number, step, group.name, people, change, Choice(FINISH))
        found.append(group)
    order = {(pk, key): place for pk, keys in names.items() for place, key in enumerate(keys)}
    return sorted(found, key=lambda group: (-group.version, order.get((group.version_id, group.step), 0)))


def _steps(version: JourneyVersion) -> Mapping[str, Any]:
    steps: Mapping[str, Any] = (version.program or programs.compiled(version.document))["steps"]
    return steps


def _change(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, called: str) -> tuple[str, bool]:
    """What is different about a step, and whether people can stay on it."""
    if new is None:
        return "The new version does not have this step.", False
    if old is None or old["kind"] != new["kind"]:
        return f"It is another kind of step in the new version: {called}.", False
    if _asked_anew(old, new):
        return (
            f"It says something else in the new version: {called}. It counts from when they came to it; whoever is late"
            " by that goes on at a ramp.",
            True,
        )
    if (old["next"], old["arms"]) != (new["next"], new["arms"]):
        return "They stay here. What comes next has changed.", True
    return "Nothing changes here.", True


def _asked_anew(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    def bare(laid: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in laid["given"].items() if name != "label"}

    return bare(old) != bare(new)


def chosen(
    plan: Sequence[Mapping[str, Any]], found: Sequence[Group], version: JourneyVersion
) -> dict[tuple[int, str], Choice]:
    """The choices of a plan (`step`, `do`, `to`?, `version`?) by version and step. `Invalid` for what means nothing."""
    there = {(group.version_id, group.step): group for group in found}
    choices: dict[tuple[int, str], Choice] = {}
    problems: list[Problem] = []
    for place, given in enumerate(plan):
        path, do, to = f"plan[{place}]", given.get("do"), given.get("to") or ""
        meant = [
            key
            for key, group in there.items()
            if group.step == given.get("step") and given.get("version") in (None, group.version)
        ]
        if do not in WAYS:
            problems.append(Problem(f"{path}.do", f"must be one of {', '.join(WAYS)}"))
        elif not meant:
            problems.append(Problem(f"{path}.step", f"nobody stands on a step {shown(given.get('step'))}"))
        elif do == MOVE and to not in _steps(version):
            problems.append(Problem(f"{path}.to", "must be the key of a step of the new version"))
        elif do != MOVE and to:
            problems.append(Problem(f"{path}.to", f"says nothing beside {do}"))
        elif do == FOLLOW and any(there[key].choice is None or not _fits(there[key], version) for key in meant):
            problems.append(Problem(f"{path}.do", f"they cannot go on at {shown(given.get('step'))}: it is not there"))
        elif any(key in choices for key in meant):
            problems.append(Problem(f"{path}.step", "is chosen for twice"))
        else:
            choices |= dict.fromkeys(meant, Choice(str(do), to))
    if problems:
        raise Invalid(problems)
    return choices


def _fits(group: Group, version: JourneyVersion) -> bool:
    old = JourneyVersion.objects.get(pk=group.version_id)
    return _change(_steps(old).get(group.step), _steps(version).get(group.step), "")[1]


# ── Carrying it out ──────────────────────────────────────────────────────────────────────────────────────────────────
def begin(journey: Journey, version: JourneyVersion, plan: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """Has everybody on the way become what the plan says, else what is usual: a few at once, many batch by batch.

    `Conflict` where people stand on steps that are gone and the plan says nothing of them. The caller holds the
    journey, and saves it.
    """
    if journey.carrying is not None:
        raise Conflict(f"An earlier change of the journey {journey.name} is still being carried out: try again soon.")
    found = groups(journey, version)
    choices = chosen(plan, found, version)
    unsaid = [group for group in found if group.must_choose and (group.version_id, group.step) not in choices]
    if unsaid:
        steps = ", ".join(f"{group.step} ({plural(group.people, 'person', 'people')})" for group in unsaid)
        raise Conflict(
            f"People stand on steps that the new version does not have, or has as another kind: {steps}."
            " Say in the plan what becomes of them: finish, move or exit."
        )
    pairs = _pairs(journey, version, found, choices)
    if not pairs:
        return
    journey.carrying = {"version": version.pk, "pairs": pairs, "late": 0}
    if sum(group.people for group in found) <= AT_ONCE:
        while carry(journey, now):
            pass


def _pairs(
    journey: Journey, version: JourneyVersion, found: Sequence[Group], choices: Mapping[tuple[int, str], Choice]
) -> list[list[Any]]:
    """What becomes of whoever is found on any step of the versions that people are in, the ones who finish left out.

    Of all steps, since somebody may have gone on a moment before.
    """
    steps = _steps(version)
    pairs: list[list[Any]] = []
    for old in JourneyVersion.objects.filter(pk__in={group.version_id for group in found}):
        for step, laid in _steps(old).items():
            fits = _change(laid, steps.get(step), "")[1]
            usual = Choice(FOLLOW if fits and old.pk == journey.version_id else FINISH)
            choice = choices.get((old.pk, step), usual)
            if choice.do != FINISH:
                anew = choice.do == FOLLOW and _asked_anew(laid, steps[step])
                pairs.append([old.pk, step, choice.do, choice.to, anew])
    return pairs


def carry_on(now: datetime) -> int:
    """Carries a batch of one journey whose change is under way; how many people, and one where it came to its end."""
    under_way = Journey.objects.filter(
        carrying__isnull=False, status__in=[Journey.Status.LIVE, Journey.Status.PAUSED]
    ).order_by("pk")
    journey = under_way.select_for_update(skip_locked=True, no_key=True).first()
    if journey is None:
        return 0
    plan = journey.carrying or {}
    way = resuming.carry if "resume" in plan else skipping.carry if "skip" in plan else carry
    done = way(journey, now)
    journey.save(update_fields=["carrying"])
    return done or int(journey.carrying is None)


def carry(journey: Journey, now: datetime) -> int:
    """Carries a batch of people of a journey that the caller holds, and saves; how many. At its end nothing is left."""
    plan = journey.carrying
    if plan is None:
        return 0
    places = {"versions": [pair[0] for pair in plan["pairs"]], "steps": [pair[1] for pair in plan["pairs"]]}
    people = read(_sql.rows("to_be_carried", {**places, "limit": BATCH}))
    if people:
        plan["late"] = _Batch(plan, now).carry(people)
    elif not _sql.rows("left_to_carry", places)[0][0]:
        journey.carrying = None
    return len(people)


class _Batch:
    """People who are carried together."""

    def __init__(self, plan: Mapping[str, Any], now: datetime) -> None:
        self.version, self.late, self.now = int(plan["version"]), int(plan["late"]), now
        self.choices = {(pair[0], pair[1]): (Choice(pair[2], pair[3]), pair[4]) for pair in plan["pairs"]}
        self.walk = Walk.at(now)

    def carry(self, people: Sequence[Traveller]) -> int:
        """How many have been made late, those of earlier batches included."""
        program = self.walk.programs_of({self.version})[self.version]
        by_place: dict[tuple[int, str], list[Traveller]] = {}
        for one in people:
            by_place.setdefault((one.version_id, one.step), []).append(one)
        for place, group in by_place.items():
            self._group(group, *self.choices[place], program)
        self.walk.flush()
        carried = [one.id for one in people if one.version_id == self.version]
        _sql.run("carry", {"version": self.version, "enrollments": carried})
        self.walk.write()
        return self.late

    def _group(self, group: Sequence[Traveller], choice: Choice, anew: bool, program: Program) -> None:
        if choice.do == EXIT:
            for one in group:
                self.walk.take_off(one, Ending.STAFF, _TAKEN_OFF)
            return
        for one in group:
            one.version_id = self.version
        if choice.do == MOVE:
            for one in group:
                self.walk.put(one, choice.to, _PUT)
                one.due_at = self._slot()
            return
        answers = self._answers(group, program) if anew else {}
        for one in sorted(group, key=lambda one: (one.due_at or self.now, one.id)):
            self._follow(one, answers.get(one.id), anew)

    def _answers(self, group: Sequence[Traveller], program: Program) -> Mapping[Any, Answer]:
        """What their step answers as it is now; of one that cannot, nothing: the engine asks it again, one by one."""
        step = program.nodes[group[0].step].step
        if step is None:
            return {}
        try:
            with transaction.atomic():
                return step.answer([self.walk.standing(one) for one in group], self.now)
        except Exception as error:
            if concerns_everybody(error):
                raise
            return {}

    def _follow(self, one: Traveller, answer: Answer | None, anew: bool) -> None:
        said = ""
        if anew:
            match answer:
                case WaitUntil(at, reason):
                    one.due_at, one.awaits, said = max(at, self.now + _AN_INSTANT), [], reason
                case WaitFor(events, until, reason):
                    one.due_at, one.awaits, said = max(until, self.now + _AN_INSTANT), list(events), reason
                case _:
                    one.due_at, one.awaits = self._slot(), []
        self.walk.followed(one, said, moved=anew)

    def _slot(self) -> datetime:
        """When the next who is late goes on."""
        self.late += 1
        return self.now + timedelta(minutes=(self.late - 1) // RAMP)
