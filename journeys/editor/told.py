"""What came of a test drive, in the order in which it came: acts, steps, messages, and where they stand."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from foundation.pages import Mail
from foundation.wording import exact, spoken
from journeys import kinds, names
from journeys.editor import driving, shape, words
from journeys.editor.driving import Drive
from journeys.models import EnrollmentState
from journeys.simulating import MOST_EVENTS
from journeys.testing import lengths
from messaging import delivery


@dataclass
class Letter:
    """A message that would go, as it would be read."""

    mail: Mail
    channel: str
    tone: str
    verdict: str
    called_off: str = ""


@dataclass
class Told:
    """One thing that came about. `ours`: what the one who drives did."""

    at: datetime
    icon: str
    title: str
    said: str = ""
    ours: bool = False
    tone: str = ""
    letters: list[Letter] = field(default_factory=list)

    @property
    def when(self) -> str:
        return exact(self.at)


def story(drive: Drive) -> list[Told]:
    """All that came about, in order."""
    played, known = drive.played, driving.steps(drive.document)
    waiting, last = list(played.messages), len(played.happened) + 1
    acts = zip(_acts(drive), [*played.acted, *[last] * MOST_EVENTS], strict=False)
    found = [(one.at, before, 0, one) for one, before in acts]
    with words.known(drive.document):
        for place, one in enumerate(played.happened):
            told = _step(one, known)
            if one["what"] in ("advance", "leave"):
                theirs = [row for row in waiting if row["step"] == one["step"] and row["at"] == one["at"]]
                waiting = [row for row in waiting if row not in theirs]
                told.letters = [_letter(row) for row in theirs]
            found.append((one["at"], place, 1, told))
    others = [*(_kept_out(one) for one in played.refusals), *(_call(one) for one in played.calls)]
    if played.converted_at:
        others.append(Told(played.converted_at, "flag", "They reach the goal", tone="good"))
    found += [(one.at, last, 1, one) for one in others]
    return [told for *_, told in sorted(found, key=lambda row: row[:3])]


def _kept_out(one: Mapping[str, Any]) -> Told:
    return Told(one["at"], "block", "They are kept out", one["why"], tone="bad")


def _call(one: Mapping[str, Any]) -> Told:
    return Told(one["at"], "webhook", "A call would go out", f"To {one['url']}: {one['body']}")


def _acts(drive: Drive) -> Iterator[Told]:
    now = drive.begins
    for act in drive.script.acts:
        match act:
            case {"wait": length}:
                now += lengths.read(length, "wait")
            case {"until": moment}:
                now = max(now, datetime.fromisoformat(moment))
            case {"does": name}:
                yield Told(now, "bolt", f"They do “{spoken(name)}”", _values(act.get("properties", {})), ours=True)
            case {"becomes": values}:
                yield Told(now, "edit", "What is known of them changes", _values(values), ours=True)
            case {"answers": _}:
                yield Told(now, "task_alt", f"The team is done: {spoken(act.get('outcome') or 'done')}", ours=True)
            case {"enters": True}:
                yield Told(now, "login", "They are put on the journey", ours=True)


def _values(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{spoken(name)}: {_value(value)}" for name, value in values.items())


def _value(value: Any) -> str:
    if value is None:
        return "nothing"
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _step(one: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> Told:
    step = known.get(one["step"])
    title = words.title(step) if step else spoken(one["step"] or "The journey")
    icon = kinds.steps[str(step["kind"])].icon if step else "circle"
    match one["what"]:
        case "entered":
            return Told(one["at"], "login", "They enter the journey", one["why"], tone="good")
        case "wait":
            return Told(one["at"], icon, title, one["why"] or "They wait.")
        case "advance" if step and one["arm"]:
            given = next((arm for arm in _given(step) if arm.get("key") == one["arm"]), {"key": one["arm"]})
            return Told(one["at"], icon, title, f"They go “{words.arm(step, given)}”. {one['why']}".strip())
        case "advance":
            return Told(one["at"], icon, title, one["why"])
        case "leave" | "ended":
            return Told(one["at"], "logout", "They leave the journey", one["why"])
        case "retry" | "failed":
            return Told(one["at"], "error", title, one["why"], tone="bad")
    return Told(one["at"], icon, title, one["why"])


def _given(step: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [arm.given for arm in shape.arms(step)]


def _letter(row: Mapping[str, Any]) -> Letter:
    mail = Mail(
        title="As they would read it",
        subject=row.get("subject", ""),
        html=row.get("html", ""),
        text=row.get("text", ""),
    )
    tone, verdict = row.get("verdict", ("", ""))
    if row.get("unsayable"):
        tone, verdict = "bad", f"It would fail: {row['unsayable']}."
    called_off = row["why"] if row["state"] == "suppressed" and not row["went"] else ""
    return Letter(mail, delivery.label(row["channel"]), tone, verdict, called_off)


@dataclass
class Standing:
    """Where they stand, in a sentence."""

    title: str
    said: str = ""
    tone: str = ""
    tasks: Sequence[Mapping[str, Any]] = field(default_factory=list)
    """What a team is to do, which they wait for: each with its outcomes."""


def standing(drive: Drive) -> Standing:
    played, known = drive.played, driving.steps(drive.document)
    if not played.entered:
        if played.refusals:
            return Standing("They are kept out", played.refusals[-1]["why"], "bad")
        starts = ", or ".join(words.trigger(one) for one in words.triggers_of(drive.document["entry"]))
        return Standing("They are not on it yet", f"It starts when {starts}.")
    if played.state != EnrollmentState.ACTIVE:
        title = {"completed": "They came to the end", "exited": "They left", "failed": "A step failed"}[played.state]
        said = "" if played.reason == f"{title}." else played.reason
        return Standing(title, said, "bad" if played.state == "failed" else "good")
    with words.known(drive.document):
        step = known.get(played.step)
        title = words.title(step) if step else spoken(played.step)
        here = [task for task in played.tasks if task["open"] and task["step"] == played.step]
        open_tasks = [{**task, "team": names.of("team", task["team"])} for task in here]
    return Standing(f"They stand at “{title}”", "", "calm", open_tasks)
