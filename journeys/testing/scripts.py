"""What a test says: somebody made up, what happens to them, and what is to come of it. Read here, wherever it is from.

{"person": {"first_name": "Ada"}, "at": "2026-03-02T09:00:00+00:00", "draws": {"split": "a"},
 "acts": [{"does": "signed_up", "properties": {}}, {"wait": {"days": 2}}, {"until": "2026-03-05T09:00:00+00:00"},
          {"answers": "call", "outcome": "reached"}, {"becomes": {"plan": "pro"}}, {"enters": true}]}
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.conf import settings

from foundation import strict_json
from foundation.errors import Invalid, Problem
from journeys.models import EnrollmentState
from journeys.simulating import FARTHEST, MOST_EVENTS, Act, Answered, Becomes, Deed, Enters
from journeys.testing import lengths
from segments import moments

A_MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""When a script begins that does not say when."""
KEPT_OUT = "kept_out"
STATES = (KEPT_OUT, *EnrollmentState.values)
_ACTS = {
    "does": {"properties"},
    "wait": set(),
    "until": set(),
    "answers": {"outcome"},
    "becomes": set(),
    "enters": set(),
}
_EXPECTED = ("way", "messages", "state", "step", "goal")
_LONGEST = 255
_FIRST_YEAR, _LAST_YEAR = 1970, 2200  # what follows after so and so many days is a moment, too


@dataclass(frozen=True)
class Script:
    """Somebody made up, and what happens. `draws` are the arms that they get at splits.

    Their values may be moments that count from the beginning: `{"in": {"days": 14}}`.
    """

    person: dict[str, Any]
    at: datetime | None = None
    draws: dict[str, str] = field(default_factory=dict)
    acts: tuple[dict[str, Any], ...] = ()

    def begins(self, now: datetime) -> datetime:
        """When it begins: on one and the same Monday, unless it says; on this week's where events of then are gone."""
        if self.at is not None:
            return self.at
        days = settings.EVENT_RETENTION_DAYS
        if days is None or now - timedelta(days=int(days)) < A_MONDAY:
            return A_MONDAY
        return datetime.combine(now.date() - timedelta(days=now.weekday()), A_MONDAY.timetz())

    def somebody(self, at: datetime) -> dict[str, Any]:
        """The values of the person, where it begins at this moment."""
        found: dict[str, Any] = _dated(self.person, at)
        return found

    def played(self, at: datetime) -> tuple[list[Act], datetime]:
        """What happens when, where it begins at this moment, and when it ends."""
        now, found = at, list[Act]()
        for act in self.acts:
            match act:
                case {"wait": length}:
                    now += lengths.read(length, "wait")
                case {"until": moment}:
                    now = max(now, _moment(moment, "until"))
                case {"does": name}:
                    found.append(Deed(name, now, act.get("properties") or {}))
                case {"answers": step}:
                    found.append(Answered(step, act.get("outcome", ""), now))
                case {"becomes": values}:
                    found.append(Becomes(_dated(values, at), now))
                case {"enters": True}:
                    found.append(Enters(now))
        return found, now

    def as_json(self) -> dict[str, Any]:
        """It as it is kept: what says nothing is left out."""
        parts: dict[str, Any] = {"person": self.person}
        parts |= {"at": self.at.isoformat()} if self.at else {}
        parts |= {"draws": self.draws} if self.draws else {}
        return parts | {"acts": list(self.acts)}

    def then(self, *acts: dict[str, Any]) -> "Script":
        """It with more at its end."""
        return Script(self.person, self.at, self.draws, (*self.acts, *acts))


def read(value: Any, path: str = "", *, puts_on: bool = True) -> Script:
    """The script in JSON; `Invalid` with all that is wrong, each with its path.

    `puts_on`: where nobody does anything, they are put on the journey at the beginning.
    """
    value = as_json(value)
    if not isinstance(value, Mapping):
        raise Invalid.at(path, "must say who it is played with (person), and what happens (acts)")
    problems = _strangers(value, {"person", "at", "draws", "acts"}, path)
    problems += [Problem(within(path, one.path), one.reason) for one in strict_json.problems(dict(value))]
    person, acts, draws = value.get("person", {}), value.get("acts", []), value.get("draws", {})
    if not isinstance(person, Mapping):
        problems.append(
            Problem(within(path, "person"), "must be values of somebody made up, such as {first_name: Ada}")
        )
    if not _is_texts(draws):
        problems.append(Problem(within(path, "draws"), "must name a way for each split, such as {split: a}"))
    if not isinstance(acts, list) or len(acts) > MOST_EVENTS:
        problems.append(Problem(within(path, "acts"), f"must be a list of at most {MOST_EVENTS} things that happen"))
        acts = []
    if "at" in value:
        problems += _refused(_moment, value["at"], within(path, "at"))
    problems += [problem for n, act in enumerate(acts) for problem in _flaws(act, within(path, f"acts[{n}]"))]
    if problems:
        raise Invalid(problems)
    if puts_on and not any({"does", "becomes", "enters"} & act.keys() for act in acts):
        acts = [{"enters": True}, *acts]
    at = _moment(value["at"], "at") if "at" in value else None
    script = Script(_sorted(person), at, _sorted(draws), tuple(_act(act) for act in acts))
    if _is_too_long(script, at or A_MONDAY):
        raise Invalid.at(within(path, "acts"), f"go on for more than {FARTHEST.days} days")
    return script


def _is_too_long(script: Script, begins: datetime) -> bool:
    try:
        return script.played(begins)[1] > begins + FARTHEST
    except OverflowError:
        return True


def _flaws(act: Any, path: str) -> list[Problem]:
    kind = next((kind for kind in _ACTS if isinstance(act, Mapping) and kind in act), "")
    if not kind:
        return [Problem(path, f"must be one of {', '.join(_ACTS)}")]
    said = act[kind]
    problems = _strangers(act, {kind, *_ACTS[kind]}, path)
    match kind:
        case "wait":
            problems += _refused(lengths.read, said, f"{path}.wait")
        case "until":
            problems += _refused(_moment, said, f"{path}.until")
        case "becomes":
            problems += _mapping(said, f"{path}.becomes")
        case "enters":
            problems += [] if said is True else [Problem(f"{path}.enters", "must be true")]
        case _:
            problems += _text(said, f"{path}.{kind}")
    problems += _mapping(act.get("properties", {}), f"{path}.properties")
    return problems + ([] if act.get("outcome", "") == "" else _text(act["outcome"], f"{path}.outcome"))


# ── What is to come of it ────────────────────────────────────────────────────────────────────────────────────────────
def expectation(value: Any, path: str = "") -> dict[str, Any]:
    """What is expected, as it is kept; only what it speaks of is compared. `Invalid` with all that is wrong."""
    value = as_json(value)
    if not isinstance(value, Mapping) or not value:
        raise Invalid.at(path, "must say what is to come of it: way, messages, state, step or goal")
    problems = _strangers(value, set(_EXPECTED), path)
    way, messages = value.get("way", []), value.get("messages", [])
    if not isinstance(way, list) or not all(isinstance(one, str) for one in way):
        problems.append(Problem(within(path, "way"), "must be a list of steps, with their ways, such as begun/yes"))
    if not isinstance(messages, list):
        problems.append(Problem(within(path, "messages"), "must be a list of messages, each with its step"))
        messages = []
    if value.get("state", KEPT_OUT) not in STATES:
        problems.append(Problem(within(path, "state"), f"must be one of {', '.join(STATES)}"))
    problems += [] if "step" not in value else _text(value["step"], within(path, "step"))
    if not isinstance(value.get("goal", False), bool):
        problems.append(Problem(within(path, "goal"), "must be true or false"))
    problems += [
        problem for n, one in enumerate(messages) for problem in _of_message(one, within(path, f"messages[{n}]"))
    ]
    if problems:
        raise Invalid(problems)
    listed = [_in_order(one, ("step", "after", "subject")) for one in messages]
    return _in_order({**value, "messages": listed} if "messages" in value else value, _EXPECTED)


def _of_message(given: Any, path: str) -> list[Problem]:
    if not isinstance(given, Mapping):
        return [Problem(path, "must be a message with its step, such as {step: welcome, after: {days: 2}}")]
    problems = [*_strangers(given, {"step", "after", "subject"}, path), *_text(given.get("step"), f"{path}.step")]
    if not isinstance(given.get("subject", ""), str):
        problems.append(Problem(f"{path}.subject", "must be a text"))
    return problems + (_refused(lengths.read, given["after"], f"{path}.after") if "after" in given else [])


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def as_json(value: Any) -> Any:
    """What a YAML file says as JSON has it: moments and days are texts."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): as_json(one) for name, one in value.items()}
    return [as_json(one) for one in value] if isinstance(value, list) else value


def _sorted(value: Any) -> Any:
    """The same, with names in one order, whatever kept it."""
    if isinstance(value, Mapping):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(one) for one in value] if isinstance(value, list) else value


def _in_order(value: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: value[name] for name in names if name in value}


def _act(given: Mapping[str, Any]) -> dict[str, Any]:
    kind = next(kind for kind in _ACTS if kind in given)
    return {name: _sorted(given[name]) for name in (kind, *_ACTS[kind]) if name == kind or given.get(name)}


def _dated(value: Any, at: datetime) -> Any:
    """The same, with moments for what counts from the beginning."""
    if not isinstance(value, Mapping):
        return value
    if list(value) == ["in"] and not _refused(lengths.read, value["in"], ""):
        return (at + lengths.read(value["in"], "")).isoformat()
    return {name: _dated(one, at) for name, one in value.items()}


def _refused(reader: Callable[[Any, str], object], value: Any, path: str) -> list[Problem]:
    try:
        reader(value, path)
    except Invalid as invalid:
        return invalid.problems
    return []


def _moment(value: Any, path: str) -> datetime:
    found = moments.read(value) if isinstance(value, str) else None
    if found is None or not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise Invalid.at(path, "must be a moment, such as 2026-03-02T09:00:00Z")
    return found


def within(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name else path or name


def _strangers(value: Mapping[Any, Any], known: set[str], path: str) -> list[Problem]:
    names = sorted(str(name) for name in value if name not in known)
    return [
        Problem(within(path, name), f"is nothing that is known here; there are {', '.join(sorted(known))}")
        for name in names
    ]


def _text(value: Any, path: str) -> list[Problem]:
    if isinstance(value, str) and 0 < len(value) <= _LONGEST and "\x00" not in value:
        return []
    return [Problem(path, f"must be a text of at most {_LONGEST} characters")]


def _mapping(value: Any, path: str) -> list[Problem]:
    return [] if isinstance(value, Mapping) else [Problem(path, "must be values by their names")]


def _is_texts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(one, str) for pair in value.items() for one in pair)
