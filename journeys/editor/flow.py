"""A draft as it is drawn: cards in lists, ways side by side; and what of a drawn one must be swapped for another."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

from journeys import kinds
from journeys.editor import problems, shape, words
from journeys.editor.problems import Found
from journeys.numbers import ArmNumbers, Numbers, StepNumbers

_UNSAFE = re.compile(r"[^A-Za-z0-9-]")


def id_of(name: str) -> str:
    """A key, or the name of a list, as it may stand in an id: nothing in it means something to a selector."""
    return _UNSAFE.sub(lambda found: f"_{ord(found[0]):x}_", name)


@dataclass(frozen=True, slots=True)
class About:
    """A kind of step or trigger, as those see it who choose one."""

    key: str
    label: str
    icon: str
    about: str
    is_plain: bool  # nothing is to be said of one

    @classmethod
    def of(cls, kind: type[kinds.Step] | type[kinds.Trigger]) -> "About":
        return cls(kind.key, kind.label, kind.icon, kind.about, not kind.fields)


_ORDER = ("message", "wait", "wait_for", "branch", "split", "task", "update", "segment", "webhook", "journey", "exit")


def step_kinds() -> list[About]:
    """What can be put in: what is used most comes first."""
    listed = sorted(kinds.steps, key=lambda kind: _ORDER.index(kind.key) if kind.key in _ORDER else len(_ORDER))
    return [About.of(kind) for kind in listed]


_STARTS = ("event", "segment_entered", "segment_left", "date", "schedule", "api", "manual")


def trigger_kinds() -> list[About]:
    """What can start it, in the same manner."""
    order = {key: place for place, key in enumerate(_STARTS)}
    return [About.of(kind) for kind in sorted(kinds.triggers, key=lambda kind: order.get(kind.key, len(order)))]


@dataclass(slots=True)
class Card:
    """A step as it is drawn."""

    key: str
    kind: str
    icon: str
    label: str
    sentence: str
    note: str = ""
    problems: list[str] = field(default_factory=list)
    ways: list["Way"] = field(default_factory=list)
    numbers: StepNumbers | None = None

    @property
    def id(self) -> str:
        return id_of(self.key)

    @property
    def at(self) -> str:
        return f"after:{self.key}"

    @property
    def called(self) -> str:
        return self.label or self.sentence

    @property
    def face(self) -> tuple[Any, ...]:
        """What is seen of it, without its ways."""
        return self.kind, self.label, self.sentence, self.note, self.problems, self.numbers

    @property
    def frame(self) -> tuple[Any, ...]:
        """Its ways, as far as they are drawn anew together."""
        return tuple((way.key, way.sentence, way.problems, way.numbers) for way in self.ways)


@dataclass(slots=True)
class Way:
    """An arm as it is drawn."""

    step: str
    key: str
    sentence: str
    problems: list[str]
    cards: list[Card]
    numbers: ArmNumbers | None = None

    @property
    def name(self) -> str:
        return shape.name(self.step, self.key)

    @property
    def id(self) -> str:
        return id_of(self.name)

    @property
    def at(self) -> str:
        return f"in:{self.name}"

    @property
    def size(self) -> int:
        return sum(1 for _ in _all(self.cards))


@dataclass(slots=True)
class Part:
    """What is said of the whole: what starts it, its goal and so on."""

    key: str
    icon: str
    label: str
    sentence: str
    problems: list[str]
    is_said: bool = True


@dataclass(slots=True)
class Flow:
    """The whole, drawn."""

    cards: list[Card]
    parts: list[Part]
    paragraph: str
    problems: Found

    @property
    def amiss(self) -> int:
        return problems.count(self.problems)

    @property
    def size(self) -> int:
        return sum(1 for _ in _all(self.cards))

    def card(self, key: str) -> Card | None:
        return next((card for card in _all(self.cards) if card.key == key), None)

    def cards_of(self) -> list[Card]:
        return list(_all(self.cards))


def _all(cards: Sequence[Card]) -> Iterator[Card]:
    for card in cards:
        yield card
        for way in card.ways:
            yield from _all(way.cards)


# ── Drawing ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def drawn(document: Mapping[str, Any], numbers: Numbers | None = None, *, checked: bool = True) -> Flow:
    """The document as it is drawn. Without `checked` nothing is said of what is amiss: it is as it was published."""
    found = problems.find(document) if checked else {}
    with words.known(document):
        cards = [_card(step, found, numbers) for step in document.get("steps") or []]
        return Flow(cards, _parts(document, found), words.paragraph(document), found)


def _card(step: Mapping[str, Any], found: Found, numbers: Numbers | None) -> Card:
    key, variant = str(step["key"]), kinds.steps.get(str(step.get("kind")))
    ways = [
        Way(
            key,
            str(one.given["key"]),
            words.arm(step, one.given),
            found.get(shape.name(key, str(one.given["key"])), []),
            [_card(inner, found, numbers) for inner in one.given.get("steps") or []],
            numbers.arm(key, str(one.given["key"])) if numbers else None,
        )
        for one in shape.arms(step)
    ]
    return Card(
        key,
        str(step.get("kind")),
        variant.icon if variant else "help",
        str(step.get("label") or ""),
        words.sentence(step),
        str(step.get("note") or ""),
        found.get(key, []),
        ways,
        numbers.step(key) if numbers else None,
    )


def _parts(document: Mapping[str, Any], found: Found) -> list[Part]:
    entry, goal = document.get("entry") or {}, document.get("goal")
    starts = [words.trigger(one) for one in words.triggers_of(entry)]
    only, leave = entry.get("filter"), document.get("exit")

    def part(key: str, icon: str, label: str, said: str, otherwise: str) -> Part:
        return Part(key, icon, label, _capital(said or otherwise), found.get(key, []), bool(said))

    return [
        part("trigger", "bolt", "Starts when", ", or when ".join(starts), "It is not said yet what starts it"),
        part("filter", "filter_alt", "Lets in", "" if only in (None, {"all": []}) else words.people(only), "Everybody"),
        part("reentry", "replay", "How often", words.how_often(entry.get("reentry")), ""),
        part("goal", "emoji_events", "Goal", words.goal(goal) if goal else "", "None: nobody can tell what came of it"),
        part("exit", "logout", "Leaves early", words.people(leave) if leave is not None else "", "Nobody"),
        part("settings", "tune", "Settings", words.settings(document), "As usual"),
    ]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


# ── What changed ─────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Swap:
    """A piece of the drawn flow: `how` and where it goes, by which template it is drawn and of what."""

    how: str  # an `hx-swap-oob`
    id: str
    template: str = ""
    card: Card | None = None
    way: Way | None = None


def swaps(before: Flow, after: Flow) -> list[Swap]:
    """What turns one drawn flow into another: first what goes, then what comes, in order."""
    gone: list[Swap] = []
    come: list[Swap] = []
    _lists(before.cards, after.cards, shape.WHOLE, gone, come)
    return gone + come


def _lists(before: Sequence[Card], after: Sequence[Card], own: str, gone: list[Swap], come: list[Swap]) -> None:
    old, new = [card.key for card in before], [card.key for card in after]
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks() if old != new else None
    kept = {key for block in blocks for key in new[block.b : block.b + block.size]} if blocks else set(new)
    gone += [Swap("delete", f"step-{card.id}") for card in before if card.key not in kept]
    by_key = {card.key: card for card in before}
    behind = f"head-{id_of(own)}"
    for card in after:
        if card.key not in kept:
            come.append(Swap(f"afterend:#{behind}", "", "step", card))
        else:
            _cards(by_key[card.key], card, gone, come)
        behind = f"step-{card.id}"


def _cards(before: Card, after: Card, gone: list[Swap], come: list[Swap]) -> None:
    if before.face != after.face:
        come.append(Swap("outerHTML", f"card-{after.id}", "card", after))
        if before.called != after.called:
            come.append(Swap("outerHTML", f"plus-after-{after.id}", "plus", after))
    if [way.key for way in before.ways] != [way.key for way in after.ways]:
        come.append(Swap("outerHTML", f"ways-{after.id}", "ways", after))
        return
    for old, new in zip(before.ways, after.ways, strict=True):
        if (old.sentence, old.problems, old.numbers) != (new.sentence, new.problems, new.numbers):
            come.append(Swap("outerHTML", f"way-{new.id}", "way", after, new))
        _lists(old.cards, new.cards, new.name, gone, come)
