"""What is wrong with a draft, in words that say what to do, by the card that it is shown on."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from foundation.errors import Problem
from foundation.wording import spoken
from journeys import documents, kinds
from journeys.editor import shape
from journeys.fields import Condition, Duration, Field, Names, Slug, Use
from segments.editor.tree import from_definition
from segments.editor.tree import written as written_tree

_IN_THE_STEP = re.compile(r"^In the step '.*?': ")
_MISSING = ("is missing", "must be a list with at least one arm")
_TOO_FEW = "must be a trigger, or a list of between 1 and 20"
WHOLE = "steps"
Found = dict[str, list[str]]
"""Key of a step, `key/arm` of a way, or the name of a part (`trigger`, `goal`, `steps`), to sentences."""


def find(document: Mapping[str, Any]) -> Found:
    """Everything that must be mended before it can be published."""
    own = shape.paths(document)
    found: Found = defaultdict(list)
    flaws = documents.flaws(document)
    for problem in [*flaws, *documents.unknown(_uses(document, own, {flaw.path for flaw in flaws}))]:
        place, said = _said(document, own, problem)
        if said not in found[place]:
            found[place].append(said)
    return dict(found)


def _uses(document: Mapping[str, Any], own: Mapping[str, str], flaws: set[str]) -> Iterator[Use]:
    """What the document relies on, as far as it is sound: of the rest it cannot be said."""
    if not flaws:
        yield from documents.uses(document)
        return
    bad = {_home(path, own) for path in flaws}
    for path, key in own.items():
        step = shape.find(document, key).step
        if path not in bad and step.get("kind") in kinds.steps:
            yield from kinds.steps[step["kind"]].uses(step, path)


def _home(path: str, own: Mapping[str, str]) -> str:
    """The path of the innermost step that a path leads into."""
    return max((one for one in own if path == one or path.startswith((f"{one}.", f"{one}["))), key=len, default="")


def count(found: Found) -> int:
    return sum(len(said) for said in found.values())


def _said(document: Mapping[str, Any], own: Mapping[str, str], problem: Problem) -> tuple[str, str]:
    path, reason = problem.path, _IN_THE_STEP.sub("", problem.reason)
    home = _home(path, own)
    if home:
        step = shape.find(document, own[home]).step
        return _of_step(step, path[len(home) :].lstrip("."), reason)
    if path == "steps":
        return WHOLE, "Put in the first step." if not document.get("steps") else f"It {reason}."
    return _of_part(document, path, reason)


# ── On a step ────────────────────────────────────────────────────────────────────────────────────────────────────────
def _of_step(step: Mapping[str, Any], path: str, reason: str) -> tuple[str, str]:
    key, variant = str(step["key"]), kinds.steps.get(str(step.get("kind")))
    if variant is None:
        return key, "This kind of step is known no more. Take it out, or put another in its place."
    for one in variant.arms(step, ""):
        if path == one.path or path.startswith(f"{one.path}."):
            inner = path[len(one.path) :].lstrip(".")
            name = one.path.partition("[")[0]
            said = sentence(variant.arm_fields.get(name, ()), inner, reason, whose=one.given)
            return shape.name(key, str(one.given.get("key"))), said
    if path == "channel" and reason in _MISSING and not step.get("template"):
        path = "template"  # the one is said by the other
    if path in variant.arms_in:
        return key, "Add at least one way."
    if not path and variant.one_of:
        return key, f"Say how: {' or '.join(_label(variant.fields, name) for name in variant.one_of)}."
    return key, sentence(variant.fields, path, reason)


def _label(fields: Sequence[Field], name: str) -> str:
    label = next((field.label for field in fields if field.name == name), spoken(name))
    return f"{label[:1].lower()}{label[1:]}"


def sentence(fields: Sequence[Field], path: str, reason: str, *, whose: Mapping[str, Any] | None = None) -> str:
    """A problem at a path within an object of these fields."""
    name = re.split(r"[.\[]", path, maxsplit=1)[0]
    field = next((field for field in fields if field.name == name), None)
    label = field.label if field else spoken(name)
    if reason in _MISSING:
        match field:
            case Slug():
                return f"Choose a {field.of}."
            case Condition():
                return "Say who goes this way."
            case Names():
                return "Say what they do."
            case Duration():
                return f"{label}: say how long."
        return f"Fill in: {label}."
    if isinstance(field, Slug) and reason.startswith("there is no"):
        return f"The {field.of} that was chosen here is gone. Choose another."
    if isinstance(field, Condition):
        given = (whose or {}).get(field.name)
        return _of_condition(given, path.partition(".")[2], reason)
    if reason.startswith("the last arm is for everyone else"):
        return "The last way is for everyone else, and has no condition: add another way below it."
    if reason.startswith("there is no"):
        return f"{label}: {reason}."
    return f"{label}: this {reason}." if label else f"This {reason}."


def _of_condition(given: Any, path: str, reason: str) -> str:
    """What is wrong in a condition: it stands on its place in the builder, which says it in full."""
    if given in ({"all": []}, {"any": []}, None):
        return "Say who goes this way."
    try:
        written_tree(from_definition(given))
    except (LookupError, TypeError, ValueError, AttributeError):
        return "Its condition cannot be read. Begin it anew."
    if "slug" in path and "there is no" not in reason:
        return "Its condition names something that is still to be chosen."
    return f"Its condition is not finished: {reason[:1].lower()}{reason[1:].rstrip('.')}."


# ── On the whole ─────────────────────────────────────────────────────────────────────────────────────────────────────
def _of_part(document: Mapping[str, Any], path: str, reason: str) -> tuple[str, str]:
    top = re.split(r"[.\[]", path.removeprefix("entry."), maxsplit=1)[0]
    inner = path.removeprefix("entry.")[len(top) :].lstrip(".")
    match top:
        case "trigger":
            return "trigger", _of_trigger(document, inner, reason)
        case "goal":
            if inner.startswith("condition"):
                given = (document.get("goal") or {}).get("condition")
                return "goal", _of_condition(given, inner, reason).replace("Say who goes this way.", "Say what it is.")
            return "goal", f"Within: this {reason}."
        case "priority" | "pauses_above":
            return "settings", f"{reason[:1].upper()}{reason[1:]}."
        case "filter" | "exit":
            given = document["entry"].get("filter") if top == "filter" else document.get("exit")
            return top, _of_condition(given, inner, reason).replace("Say who goes this way.", "Say who is meant.")
    return top or WHOLE, f"{reason[:1].upper()}{reason[1:].rstrip('.')}."


def _of_trigger(document: Mapping[str, Any], inner: str, reason: str) -> str:
    if reason == _TOO_FEW or (not inner and reason.startswith("is missing")):
        return "Say what starts it."
    given = document["entry"].get("trigger")
    place = re.match(r"\[?(\d+)\]\.?", inner) if isinstance(given, list) else None
    row = given[int(place.group(1))] if place and isinstance(given, list) else given
    path = inner[place.end() :] if place else inner
    variant = kinds.triggers.get(str(row.get("kind"))) if isinstance(row, Mapping) else None
    if variant is None:
        return "This kind of start is known no more. Choose another."
    return sentence(variant.fields, path, reason)
