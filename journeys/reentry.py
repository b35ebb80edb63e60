"""How often somebody may take part: `once`, `again` after the last time, or `every_time` for a new thing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from foundation.errors import Problem
from journeys.fields import Duration, Text, check, duration, shown

ONCE, AGAIN, EVERY_TIME = "once", "again", "every_time"
_FIELDS = {
    ONCE: (),
    AGAIN: (Duration(name="gap", label="At least this long after it began", required=False),),
    EVERY_TIME: (Text(name="key", label="Property that tells one from another", required=False, longest=255),),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """What a document says; `key` is a property of the triggering event, "" its message id."""

    rule: str = ONCE
    gap: timedelta = timedelta(0)
    key: str = ""

    @property
    def exclusive(self) -> bool:
        """Whether nobody may be on the journey twice at a time."""
        return self.rule != EVERY_TIME


def read(value: Mapping[str, Any] | None) -> Rule:
    value = value or {}
    gap = duration(value["gap"]).length if value.get("gap") is not None else timedelta(0)
    return Rule(value.get("rule") or ONCE, gap, value.get("key") or "")


def sentence(value: Mapping[str, Any] | None) -> str:
    rule = read(value)
    if rule.rule == EVERY_TIME:
        return f"Each {rule.key} once, as often as there is a new one" if rule.key else "Each time that it happens"
    if rule.rule == AGAIN:
        gap = f", at least {duration((value or {})['gap'])} after it began" if rule.gap else ""
        return f"Again once the last time has ended{gap}"
    return "Once, and never again"


def problems(value: Any, triggers: Sequence[Any]) -> Iterator[Problem]:
    """What is wrong with `entry.reentry`, given the triggers that it stands beside."""
    path = "entry.reentry"
    if value is not None and not isinstance(value, Mapping):
        yield Problem(path, 'must be an object such as {"rule": "once"}')
        return
    rule = (value or {}).get("rule") or ONCE
    if not isinstance(rule, str) or rule not in _FIELDS:
        yield Problem(f"{path}.rule", f"must be one of {', '.join(_FIELDS)}, not {shown(rule)}")
        return
    flaws = list(check(_FIELDS[rule], value or {}, path, also=("rule",)))
    yield from flaws
    if not flaws and _may_go_round(triggers) and not _comes_to_rest(read(value)):
        yield Problem(
            path,
            "a journey that starts by what happens in journeys may start itself for ever:"
            ' choose once, or again with a gap of at least a day such as {"rule": "again", "gap": {"days": 1}}',
        )


def _may_go_round(triggers: Sequence[Any]) -> bool:
    """Whether an entry can cause the next: by our own events on journeys, which every entry and end makes."""
    names = [
        trigger.get("name") for trigger in triggers if isinstance(trigger, Mapping) and trigger.get("kind") == "event"
    ]
    flat = [one for name in names for one in (name if isinstance(name, list) else [name])]
    return any(isinstance(name, str) and name.startswith("$") for name in flat)


def _comes_to_rest(rule: Rule) -> bool:
    return rule.rule == ONCE or (rule.rule == AGAIN and rule.gap >= timedelta(days=1))
