"""Two documents beside each other: what is new, gone, changed or elsewhere, step by step as it reads."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

from journeys.editor import flow
from journeys.editor.flow import Card, Flow, Way
from journeys.editor.merging import Facts

State = Literal["same", "new", "gone", "changed", "moved"]
_WORDS: dict[State, str] = {"same": "", "new": "New", "gone": "Gone", "changed": "Changed", "moved": "Moved"}
_SIGNS: dict[State, str] = {"same": "", "new": "+", "gone": "−", "changed": "~", "moved": "↕"}


@dataclass(frozen=True)
class Line:
    """One step, way or part: what became of it, what it says, and what it said before where that differs."""

    state: State
    depth: int
    text: str
    was: str = ""
    icon: str = ""
    tag: str = ""

    @property
    def word(self) -> str:
        return _WORDS[self.state]

    @property
    def sign(self) -> str:
        return _SIGNS[self.state]


@dataclass
class Compared:
    """The whole, and how much of it differs."""

    parts: list[Line]
    lines: list[Line]

    @property
    def differs(self) -> int:
        return sum(line.state != "same" for line in (*self.parts, *self.lines))


def compared(before: Mapping[str, Any], after: Mapping[str, Any]) -> Compared:
    old, new = flow.drawn(before, checked=False), flow.drawn(after, checked=False)
    return Compared(list(_parts(old, new)), _Steps(Facts.of(before), Facts.of(after)).lists(old.cards, new.cards, 0))


def _parts(old: Flow, new: Flow) -> Iterator[Line]:
    for was, now in zip(old.parts, new.parts, strict=True):
        state: State = "same" if was.sentence == now.sentence else "changed"
        yield Line(state, 0, now.sentence, was.sentence if state == "changed" else "", now.icon, now.label)


class _Steps:
    def __init__(self, before: Facts, after: Facts) -> None:
        self.before, self.after = before, after

    def lists(self, old: Sequence[Card], new: Sequence[Card], depth: int) -> list[Line]:
        keys, there = [card.key for card in old], [card.key for card in new]
        lines: list[Line] = []
        for op, a, b, c, d in SequenceMatcher(None, keys, there, autojunk=False).get_opcodes():
            if op == "equal":
                for was, now in zip(old[a:b], new[c:d], strict=True):
                    lines += self._both(was, now, depth)
                continue
            for card in old[a:b]:
                if card.key not in self.after.own:
                    lines += self._whole(card, "gone", depth)
            for card in new[c:d]:
                lines += self._whole(card, "moved" if card.key in self.before.own else "new", depth)
        return lines

    def _both(self, was: Card, now: Card, depth: int) -> list[Line]:
        is_same = self.before.own.get(now.key) == self.after.own.get(now.key)
        said = was.called if was.called != now.called else "something that its sentence does not tell"
        lines = [Line("same" if is_same else "changed", depth, now.called, "" if is_same else said, now.icon)]
        old = {way.key: way for way in was.ways}
        for way in now.ways:
            before = old.pop(way.key, None)
            lines += self._way(before, way, depth + 1)
        for way in old.values():
            lines.append(Line("gone", depth + 1, way.sentence, tag="Way"))
            lines += [line for card in way.cards for line in self._whole(card, "gone", depth + 2)]
        return lines

    def _way(self, before: Way | None, way: Way, depth: int) -> list[Line]:
        if before is None:
            inner = [line for card in way.cards for line in self._whole(card, self._came(card), depth + 1)]
            return [Line("new", depth, way.sentence, tag="Way"), *inner]
        is_same = before.sentence == way.sentence
        head = Line(
            "same" if is_same else "changed", depth, way.sentence, "" if is_same else before.sentence, tag="Way"
        )
        return [head, *self.lists(before.cards, way.cards, depth + 1)]

    def _came(self, card: Card) -> State:
        return "moved" if card.key in self.before.own else "new"

    def _whole(self, card: Card, state: State, depth: int) -> list[Line]:
        """A step with all that is in it; of one that is gone, what lives on elsewhere is told there."""
        lines = [Line(state, depth, card.called, icon=card.icon)]
        for way in card.ways:
            lines.append(Line(state, depth + 1, way.sentence, tag="Way"))
            for one in way.cards:
                if state == "gone" and one.key in self.after.own:
                    continue
                lines += self._whole(one, state if state == "gone" else self._came(one), depth + 2)
        return lines
