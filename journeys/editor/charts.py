"""A backtest as simple pictures that say themselves in words, too."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from foundation.wording import amount, plural
from journeys import telling
from journeys.backtesting import Found
from journeys.editor import shape, words
from journeys.pressure import Pressure

_WIDTH, _HEIGHT = 640.0, 120.0


@dataclass(frozen=True)
class Bar:
    """One day of a chart."""

    day: date
    number: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Bars:
    """A number a day."""

    title: str
    bars: Sequence[Bar]
    said: str

    @property
    def most(self) -> int:
        return max((bar.number for bar in self.bars), default=0)


@dataclass(frozen=True)
class Share:
    """A line of a list with a bar behind it."""

    name: str
    number: int
    of: int
    note: str = ""

    @property
    def percent(self) -> str:
        return f"{100 * self.number / self.of if self.of else 0:.0f}"


def entries(found: Found) -> Bars:
    counts = Counter(one["at"].date() for one in found.entries)
    return _bars("Who would have entered", counts, found, "person", "people")


def messages(found: Found) -> Bars:
    counts: Counter[date] = Counter()
    for one in found.messages:
        counts[date.fromisoformat(one["day"])] += one["messages"]
    return _bars("Messages", counts, found, "message", "messages")


def _bars(title: str, counts: Mapping[date, int], found: Found, one: str, many: str) -> Bars:
    days = [found.since.date() + timedelta(days=n) for n in range((found.until.date() - found.since.date()).days + 1)]
    most = max(counts.values(), default=0) or 1
    step = _WIDTH / max(1, len(days))
    bars = [
        Bar(day, counts.get(day, 0), n * step + 1, _HEIGHT - (h := _HEIGHT * counts.get(day, 0) / most), step - 2, h)
        for n, day in enumerate(days)
    ]
    total = sum(counts.values())
    peak = max(counts, key=lambda day: counts[day], default=None)
    told = f"; most on {peak.day} {peak:%B}: {amount(counts[peak])}" if peak else ""
    return Bars(title, bars, f"{plural(total, one, many)} in {plural(len(days), 'day')}{told}.")


def ways(found: Found, document: Mapping[str, Any]) -> list[tuple[str, list[Share]]]:
    """Where people would have parted, and how."""
    names, labels = telling.names(document), _labels(document)
    steps: dict[str, list[Mapping[str, Any]]] = {}
    for one in found.arms:
        steps.setdefault(one["step"], []).append(one)
    return [
        (
            names.get(step, step),
            [
                Share(labels.get((step, one["arm"]), one["arm"]), one["people"], sum(each["people"] for each in rows))
                for one in rows
            ],
        )
        for step, rows in steps.items()
    ]


def _labels(document: Mapping[str, Any]) -> dict[tuple[str, str], str]:

    with words.known(document):
        return {
            (spot.step["key"], one.given["key"]): words.arm(spot.step, one.given)
            for spot in shape.walk(document)
            for one in shape.arms(spot.step)
        }


def said(found: Found, document: Mapping[str, Any]) -> list[Share]:
    """What each message step would have sent."""
    names = telling.names(document)
    return [
        Share(
            names.get(one["step"], one["step"]),
            one["messages"],
            found.entered,
            f"{amount(one['converted_before'])} had reached the goal before" if one["converted_before"] else "",
        )
        for one in found.steps
    ]


@dataclass(frozen=True)
class Pressed:
    """How often people hear from us, in words and in bands: their name, and the people now and with the draft."""

    said: str
    bands: Sequence[tuple[Share, Share]]


def pressed(pressure: Pressure) -> Pressed:
    """The forecast of pressure."""
    said = (
        f"Whoever hears from us at all gets {pressure.now:.1f} messages a week now, and would get {pressure.then:.1f}"
        f" with this draft. The most that anybody gets is {pressure.most_now:.1f} now, and would be"
        f" {pressure.most_then:.1f}."
    )
    rows = [
        (
            Share(one.name, one.now, pressure.people, "now"),
            Share(one.name, one.then, pressure.people, "with this draft"),
        )
        for one in pressure.bands
        if one.now or one.then
    ]
    return Pressed(said, rows)
