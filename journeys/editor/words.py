"""A journey under the editor's hand in words: what a step does, finished or not, what was done to it, and the whole.

Names of segments, templates and so on are those that `journeys.names.known` knows around it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from foundation.errors import Refused
from foundation.wording import plural, shortened, spoken
from journeys import documents, kinds, reentry
from journeys import names as called
from journeys.editor import edits, shape
from journeys.editor.edits import Edit
from journeys.fields import Use, condition, duration, said

PARTS = {
    "trigger": "what starts it",
    "filter": "who is let in",
    "reentry": "how often somebody may take part",
    "goal": "the goal",
    "exit": "when people leave",
    "settings": "how it stands to others",
}
HARMS = ("failed", "bounced", "complained")
_LONGEST = 90
_TOLD = 7  # steps of the whole that are told one by one


def known(document: Mapping[str, Any]) -> Any:
    """A block in which names are known of what the document relies on, as far as it can be read."""
    return called.known(uses(document))


def uses(document: Mapping[str, Any]) -> Iterator[Use]:
    entry = document.get("entry") or {}
    for given in triggers_of(entry):
        variant = kinds.triggers.get(str(given.get("kind")))
        if variant and not list(variant.problems(given, "")):
            yield from variant.uses(given, "")
    conditions = [entry.get("filter"), document.get("exit"), (document.get("goal") or {}).get("condition")]
    for one in conditions:
        yield from _segments(one)
    for spot in shape.walk(document):
        yield from _uses(spot.step)


def _uses(step: Mapping[str, Any]) -> Iterator[Use]:
    variant = kinds.steps.get(str(step.get("kind")))
    if variant is None:
        return
    for name in ("template", "slug", "add", "remove", "team"):
        of = {"slug": "journey", "add": "segment", "remove": "segment"}.get(name, name)
        if isinstance(step.get(name), str):
            yield Use("", of, step[name])
    for one in shape.arms(step):
        yield from _segments(one.given.get("when"))


def _segments(given: Any) -> Iterator[Use]:
    if given is not None:
        try:
            yield from called.segments(condition(given).needs().segments)
        except Refused:
            return


def triggers_of(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = entry.get("trigger")
    listed = given if isinstance(given, list) else [given]
    return [one for one in listed if isinstance(one, dict)]


# ── Parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def label(step: Mapping[str, Any]) -> str:
    """What kind of step it is."""
    variant = kinds.steps.get(str(step.get("kind")))
    return variant.label if variant else "A step that is known no more"


def sentence(step: Mapping[str, Any]) -> str:
    """What happens at a step; where that is not said yet, what kind of thing."""
    try:
        variant = kinds.steps[str(step.get("kind"))]
        if not list(variant.problems(step, "")):
            return variant(step["key"], variant.without_steps(step)).sentence()
    except (LookupError, Refused, ValueError, TypeError):
        pass
    return f"{label(step)} …"


def title(step: Mapping[str, Any]) -> str:
    """What a step is called in a sentence: by its own label, else by what it does."""
    return shortened(str(step.get("label") or sentence(step)), _LONGEST).partition("… (")[0]


def arm(step: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """Who goes this way."""
    try:
        variant = kinds.steps[str(step.get("kind"))]
        if not list(variant.problems(step, "")):
            return variant(step["key"], variant.without_steps(step)).arm_sentence(given)
        if given.get("when") is not None:
            when = said(condition(given["when"]))
            return f"{given['label']}: {when}" if given.get("label") else when
    except (LookupError, Refused, ValueError, TypeError):
        pass
    return str(given.get("label") or spoken(str(given.get("key", ""))))


def trigger(given: Mapping[str, Any]) -> str:
    """What starts it: what stands after "When"; the kind alone, where the rest is missing."""
    variant = kinds.triggers.get(str(given.get("kind")))
    if variant is None:
        return "something that is known no more"
    try:
        if not list(variant.problems(given, "")):
            return variant(given).sentence()
    except (LookupError, Refused, ValueError, TypeError):
        pass
    return f"{variant.label[:1].lower()}{variant.label[1:]} …"


def people(given: Any) -> str:
    """A condition within a sentence: `people whose plan is “trial”`."""
    try:
        return said(condition(given))
    except Refused:
        return "people of whom it is not said yet"


def how_often(given: Any) -> str:
    try:
        return reentry.sentence(given)
    except (Refused, AttributeError, TypeError):
        return "Not said yet"


def goal(given: Mapping[str, Any]) -> str:
    try:
        within = f" within {duration(given['within'])}" if given.get("within") else ""
    except Refused:
        within = ""
    return f"{people(given.get('condition'))}{within}"


def settings(document: Mapping[str, Any]) -> str:
    """How it stands to others, and when it pauses itself; "" where all is as usual."""
    priority, limits = document.get("priority"), document.get("pauses_above")
    first = f"Priority {priority}" if priority else ""
    harms = (
        [f"{limits[name]} {name}" for name in HARMS if limits.get(name) is not None] if isinstance(limits, dict) else []
    )
    return "; ".join(filter(None, [first, f"pauses itself above {listed(harms)}" if harms else ""]))


# ── The whole ────────────────────────────────────────────────────────────────────────────────────────────────────────
def paragraph(document: Mapping[str, Any]) -> str:
    """The journey as one would tell it: `When somebody does “Signed up”, …`."""
    entry = document.get("entry") or {}
    starts = [trigger(one) for one in triggers_of(entry)]
    only = f" (only {people(entry['filter'])})" if entry.get("filter") not in (None, {"all": []}) else ""
    told = [f"When {', or when '.join(starts)}{only}" if starts else "", *_told(document.get("steps") or [])]
    ends = []
    if given := document.get("goal"):
        leaves = ", and they leave the journey then" if given.get("exit") is not False else ""
        ends.append(f"The goal: {goal(given)}{leaves}.")
    if document.get("exit") is not None:
        ends.append(f"Whoever is among {people(document['exit'])} leaves.")
    does = told[1] if len(told) > 1 else "nothing happens yet"
    first = f"{told[0]}, {does}" if starts else f"It is not said yet what starts it. Then {does}"
    body = [f"{first}.", *(f"{one[:1].upper()}{one[1:]}." for one in told[2:])]
    whole = " ".join([*body, f"{how_often(entry.get('reentry'))}." if starts else "", *ends])
    return whole.replace("  ", " ").replace(" ….", " …").strip()


def _told(steps: Sequence[Mapping[str, Any]]) -> list[str]:
    told: list[str] = []
    for number, step in enumerate(steps):
        if number == _TOLD:
            told.append(f"then {plural(len(steps) - _TOLD, 'more step')}")
            break
        does = sentence(step)
        does = f"{does[:1].lower()}{does[1:]}"
        ways = shape.arms(step)
        inner = [f"{arm(step, one.given)}, {_way(one.steps)}" for one in ways]
        told.append(f"{'then ' if number else ''}{does}{': ' + '; '.join(inner) if inner else ''}")
    return told


def _way(steps: Sequence[Mapping[str, Any]]) -> str:
    if not steps:
        return "go on"
    does = [sentence(step) for step in steps[:3]]
    more = f" and {plural(len(steps) - 3, 'more step')}" if len(steps) > 3 else ""
    return ", then ".join(f"{one[:1].lower()}{one[1:]}" for one in does) + more


# ── What was done ────────────────────────────────────────────────────────────────────────────────────────────────────
def what(edit: Edit, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """An edit in a sentence, for the history."""
    match edit:
        case edits.Insert():
            titles = [f"“{_named(after, str(step['key']))}”" for step in edit.steps]
            return f"Put in {_some(titles)}."
        case edits.Change():
            return f"Changed “{_named(after, edit.key)}”."
        case edits.Move():
            return f"Moved “{_named(after, edit.key)}”."
        case edits.Delete():
            return f"Took out “{_named(before, edit.key)}”."
        case edits.AddArm():
            return f"Added a way to “{_named(after, edit.key)}”."
        case edits.RemoveArm():
            return f"Took a way out of “{_named(after, edit.key)}”."
        case edits.MoveArm():
            return f"Changed the order of ways in “{_named(after, edit.key)}”."
        case edits.Set():
            return f"Changed {PARTS.get(edit.part, edit.part)}."
        case edits.SetAll():
            return f"Changed {PARTS['settings']}."
    return "Put another version in its place."


def _some(titles: Sequence[str]) -> str:
    return titles[0] if len(titles) == 1 else f"{plural(len(titles), 'step')}, beginning with {titles[0]}"


def _named(document: Mapping[str, Any], key: str) -> str:
    try:
        step = shape.find(document, key).step
    except shape.Gone:
        return spoken(key)
    with called.known(_uses(step)):
        return title(step)


def readable(document: Mapping[str, Any]) -> bool:
    return not documents.flaws(document)


def listed(words: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    rows = list(words)
    return " and ".join([", ".join(rows[:-1]), rows[-1]] if len(rows) > 1 else rows)
