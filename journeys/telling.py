"""A journey in words: who enters, what happens step by step, and how many stand where."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from foundation.pages import Line
from foundation.wording import plural
from journeys import documents, kinds, reentry
from journeys import names as called
from journeys.fields import condition, duration, said
from journeys.kinds import Arm


def lines(document: Mapping[str, Any], standing: Mapping[str, int] | None = None) -> list[Line]:
    """A sound document as indented sentences; `standing` says how many people are at each step now."""
    with called.known(documents.uses(document)):
        return [*_entry(document["entry"]), *_ends(document), *_steps(document["steps"], 0, standing or {})]


def triggers(document: Mapping[str, Any]) -> list[str]:
    """What starts it, as sentences without their beginning: `somebody does “Signed up”`."""
    given = document["entry"]["trigger"]
    listed = given if isinstance(given, list) else [given]
    with called.known(use for one in listed for use in kinds.triggers[one["kind"]].uses(one, "")):
        return [kinds.triggers[one["kind"]](one).sentence() for one in listed]


def names(document: Mapping[str, Any]) -> dict[str, str]:
    """Step key to what happens there; a step's own label comes first."""
    with called.known(documents.uses(document)):
        return {step["key"]: name_of(step) for step in _all(document["steps"])}


def name_of(step: Mapping[str, Any]) -> str:
    if step.get("label"):
        return str(step["label"])
    variant = kinds.steps[step["kind"]]
    with called.known(variant.uses({**step, **dict.fromkeys(variant.arms_in)}, "")):
        return _step(step).sentence()


def _entry(entry: Mapping[str, Any]) -> Iterator[Line]:
    for place, sentence in enumerate(triggers({"entry": entry})):
        yield Line(0, sentence, tag="Or when" if place else "Starts when")
    if entry.get("filter") is not None and entry["filter"] != {"all": []}:
        yield Line(0, said(condition(entry["filter"])), tag="Only")
    yield Line(0, reentry.sentence(entry.get("reentry")), tag="How often")


def _ends(document: Mapping[str, Any]) -> Iterator[Line]:
    if goal := document.get("goal"):
        within = f"within {duration(goal['within'])}" if goal.get("within") else "at any time"
        ends = "" if goal.get("exit") is False else ", and leaves then"
        yield Line(0, said(condition(goal["condition"])), tag="Goal", note=f"{within}{ends}")
    if document.get("exit") is not None:
        yield Line(0, said(condition(document["exit"])), tag="Leaves when among")


def _steps(body: Sequence[Any], depth: int, standing: Mapping[str, int]) -> Iterator[Line]:
    for step in body:
        variant = _step(step)
        here = standing.get(step["key"], 0)
        yield Line(
            depth,
            variant.sentence(),
            tag=str(step.get("label") or variant.label),
            note=f"{plural(here, 'person', 'people')} here" if here else "",
        )
        for arm in variant.arms(step, ""):
            yield Line(depth + 1, variant.arm_sentence(arm.given), tag="If")
            yield from _arm(arm, depth + 2, standing)


def _arm(arm: Arm, depth: int, standing: Mapping[str, int]) -> Iterator[Line]:
    if arm.steps:
        yield from _steps(arm.steps, depth, standing)
    else:
        yield Line(depth, "Go on below")


def _step(step: Mapping[str, Any]) -> kinds.Step:
    variant = kinds.steps[step["kind"]]
    return variant(step["key"], variant.without_steps(step))


def _all(body: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    for step in body:
        yield step
        for arm in kinds.steps[step["kind"]].arms(step, ""):
            yield from _all(arm.steps)
