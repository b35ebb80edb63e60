"""Journey documents: what is wrong with one, and what it relies on. Blocks and no goto, so that each always ends."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.db.models import QuerySet

from consent.models import Topic
from foundation.errors import Problem
from journeys import kinds, reentry
from journeys.fields import Condition, Duration, Use, check, joined, shown
from journeys.models import Journey
from messaging import templates
from messaging.domains import policy
from segments.models import Segment
from staff.models import Team

DEEPEST = 10
MOST_STEPS = 300

_PARTS = ("entry", "goal", "exit", "steps", "priority", "pauses_above")
_HARMS = ("failed", "bounced", "complained")
_GOAL = (Condition(name="condition", label="Goal"), Duration(name="within", label="Within", required=False))


def problems(document: Any) -> list[Problem]:
    """Everything that is wrong with it, what it names but does not exist included; empty: it may be published."""
    found = flaws(document)
    return found or list(unknown(uses(document)))


def flaws(document: Any) -> list[Problem]:
    """What is wrong with the document in itself, whatever exists around it."""
    if not isinstance(document, Mapping):
        return [Problem("", "a journey must be an object with entry and steps")]
    return list(_flaws(document))


def uses(document: Mapping[str, Any]) -> Iterator[Use]:
    """What a sound document relies on: segments, topics, templates, journeys, teams; each with its path."""
    for path, trigger in _triggers(document["entry"]):
        yield from kinds.triggers[trigger["kind"]].uses(trigger, path)
    for path, given in conditions(document):
        yield from Condition(name="", label="").uses(given, path)
    for path, step in walk(document):
        yield from kinds.steps[step["kind"]].uses(step, path)


def conditions(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The filter, goal and exit of a sound document, each with its path."""
    if (given := document["entry"].get("filter")) is not None:
        yield "entry.filter", given
    if document.get("goal") is not None:
        yield "goal.condition", document["goal"]["condition"]
    if document.get("exit") is not None:
        yield "exit", document["exit"]


def walk(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every step of a sound document with its path, in the order in which it reads."""
    yield from _walk(document["steps"], "steps")


def _walk(steps: Any, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for place, step in enumerate(steps):
        here = f"{path}[{place}]"
        yield here, step
        for arm in kinds.steps[step["kind"]].arms(step, here):
            yield from _walk(arm.steps, joined(arm.path, "steps"))


# ── In itself ────────────────────────────────────────────────────────────────────────────────────────────────────────
def _flaws(document: Mapping[str, Any]) -> Iterator[Problem]:
    yield from check((), document, "", also=_PARTS)
    yield from _entry(document.get("entry"))
    yield from _goal(document.get("goal"))
    if document.get("exit") is not None:
        yield from Condition(name="exit", label="Exit").problems(document["exit"], "exit")
    yield from _priority(document.get("priority"))
    yield from _limits(document.get("pauses_above"))
    yield from _Steps().look(document.get("steps"))


def _priority(value: Any) -> Iterator[Problem]:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not -100 <= value <= 100):
        yield Problem("priority", "must be a whole number from -100 to 100; without one it is 0")


def _limits(value: Any) -> Iterator[Problem]:
    """How many of its last 200 messages may come to harm before the journey pauses itself."""
    if value is None:
        return
    if not isinstance(value, Mapping):
        yield Problem("pauses_above", 'must be an object such as {"failed": 20, "bounced": 10, "complained": 1}')
        return
    yield from check((), value, "pauses_above", also=_HARMS)
    for name in _HARMS:
        limit = value.get(name)
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or not 0 <= limit <= 200):
            yield Problem(f"pauses_above.{name}", "must be a whole number from 0 to 200, of the last 200 messages")


def _entry(entry: Any) -> Iterator[Problem]:
    if not isinstance(entry, Mapping):
        yield Problem("entry", "is missing: say what starts the journey, as an object with a trigger")
        return
    yield from check((), entry, "entry", also=("trigger", "filter", "reentry"))
    found = list(_triggers(entry))
    if not 1 <= len(found) <= 20:
        yield Problem("entry.trigger", "must be a trigger, or a list of between 1 and 20")
        return
    for path, trigger in found:
        yield from _trigger(trigger, path)
    if entry.get("filter") is not None:
        yield from Condition(name="filter", label="Filter").problems(entry["filter"], "entry.filter")
    yield from reentry.problems(entry.get("reentry"), [trigger for _, trigger in found])


def _triggers(entry: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    value = entry.get("trigger")
    if isinstance(value, list):
        yield from ((f"entry.trigger[{place}]", trigger) for place, trigger in enumerate(value))
    elif value is not None:
        yield "entry.trigger", value


def _trigger(trigger: Any, path: str) -> Iterator[Problem]:
    kind = trigger.get("kind") if isinstance(trigger, Mapping) else None
    if not isinstance(kind, str) or kind not in kinds.triggers:
        known = ", ".join(kinds.triggers.keys())
        yield Problem(joined(path, "kind"), f"must be the kind of a trigger ({known}), not {shown(kind)}")
        return
    yield from kinds.triggers[kind].problems(trigger, path)


def _goal(goal: Any) -> Iterator[Problem]:
    if goal is None:
        return
    if not isinstance(goal, Mapping):
        yield Problem("goal", "must be an object with a condition")
        return
    yield from check(_GOAL, goal, "goal", also=("exit",))
    if goal.get("exit") is not None and not isinstance(goal["exit"], bool):
        yield Problem("goal.exit", "must be true or false")


class _Steps:
    """A look at all steps, which counts them and knows the keys that were taken."""

    def __init__(self) -> None:
        self.taken: dict[str, str] = {}
        self.count = 0

    def look(self, steps: Any) -> Iterator[Problem]:
        if not isinstance(steps, list) or not steps:
            yield Problem("steps", "must be a list with at least one step")
            return
        yield from self._list(steps, "steps", 1)
        if self.count > MOST_STEPS:
            yield Problem("steps", f"has more than {MOST_STEPS} steps")

    def _list(self, steps: list[Any], path: str, depth: int) -> Iterator[Problem]:
        if depth > DEEPEST:
            yield Problem(path, f"lies more than {DEEPEST} arms deep")
            return
        for place, step in enumerate(steps):
            self.count += 1
            if self.count > MOST_STEPS:
                return
            for problem in self._step(step, f"{path}[{place}]", depth):
                yield _named(problem, step)

    def _step(self, step: Any, path: str, depth: int) -> Iterator[Problem]:
        if not isinstance(step, Mapping):
            yield Problem(path, "must be a step: an object with a key and a kind")
            return
        yield from self._key(step.get("key"), joined(path, "key"))
        kind = step.get("kind")
        if not isinstance(kind, str) or kind not in kinds.steps:
            known = ", ".join(kinds.steps.keys())
            yield Problem(joined(path, "kind"), f"must be the kind of a step ({known}), not {shown(kind)}")
            return
        variant = kinds.steps[kind]
        yield from variant.problems(step, path)
        for arm in variant.arms(step, path):
            yield from self._list(list(arm.steps), joined(arm.path, "steps"), depth + 1)

    def _key(self, key: Any, path: str) -> Iterator[Problem]:
        flaws = list(kinds.KEY.problems(key, path)) if key is not None else [Problem(path, "is missing")]
        if flaws:
            yield from flaws
        elif key in self.taken:
            yield Problem(path, f"the key {shown(key)} is taken already, at {self.taken[key]}")
        else:
            self.taken[key] = path.removesuffix(".key")


def _named(problem: Problem, step: Any) -> Problem:
    """The problem with the name of the step in which it was found, so that staff find it, too."""
    key = step.get("key") if isinstance(step, Mapping) else None
    if not isinstance(key, str) or not key or problem.reason.startswith("In the step "):
        return problem
    return Problem(problem.path, f"In the step {shown(key)}: {problem.reason}")


# ── What it names ────────────────────────────────────────────────────────────────────────────────────────────────────
_THERE: Mapping[str, Callable[[], QuerySet[Any]]] = {
    "segment": lambda: Segment.objects.exclude(status=Segment.Status.ARCHIVED),
    "topic": Topic.objects.all,
    "journey": Journey.objects.all,
    "team": Team.objects.all,
}


def unknown(found: Iterator[Use]) -> Iterator[Problem]:
    """What a document relies on and does not exist, or is of another channel."""
    asked = list(found)
    by_kind: dict[str, set[str]] = {}
    for use in asked:
        by_kind.setdefault(use.kind, set()).add(use.slug)
    messages = templates.known(by_kind["template"]) if "template" in by_kind else {}
    known = {
        kind: set(messages)
        if kind == "template"
        else set(_THERE[kind]().filter(slug__in=slugs).values_list("slug", flat=True))
        for kind, slugs in by_kind.items()
    }
    for use in asked:
        if use.slug not in known[use.kind]:
            yield Problem(use.path, f"there is no {use.kind} {use.slug!r}")
        elif use.kind == "template" and use.channel and messages[use.slug][0] != use.channel:
            yield Problem(use.path, f"the template {use.slug!r} is for {messages[use.slug][0]}, not for {use.channel}")
    mail = next((use for use in asked if use.channel == "email"), None)
    if mail and (lack := policy.lack()):
        yield Problem(mail.path, f"no mail can be sent: {lack}")
