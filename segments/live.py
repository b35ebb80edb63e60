"""The live segments as they stand: each with its whole condition, in the order in which they can be asked."""

import json
from collections.abc import Iterable, Set
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

from django.db.models import TextField
from django.db.models.functions import Cast

from foundation.errors import Invalid
from foundation.sql import statements
from profiles.pulses import Taken
from segments import language, limits
from segments.kinds import Needs
from segments.language import Condition, Group, Node
from segments.models import Cause, Segment
from segments.question import Names

_sql = statements("segments", "membership")


@dataclass(frozen=True)
class Live:
    """A live segment that follows its definition. `condition` is the whole of it: its own, in a family that none before
    it matches, and that nothing keeps them out."""

    id: int
    slug: str
    version_id: int | None
    condition: Condition
    locked: bool = False  # whether somebody builds it, so that its membership is not ours to write

    @cached_property
    def needs(self) -> Needs:
        return self.condition.needs()

    @property
    def moves(self) -> bool:
        """Whether time alone changes who is in it, one person at a time."""
        return self.needs.time and not self.needs.whole

    def asks_of(self, taken: Taken, names: "Touched") -> Cause | None:
        """Why the answer for this person may have changed; None if what is new does not bear on it."""
        needs, causes = self.needs, taken.causes
        if limits.NAME in taken.attributes:
            return Cause.LIMIT  # whatever else is new: what somebody asks for about their data starts nothing
        if needs.whole:
            return None  # asked about everybody, now and then
        if not causes.isdisjoint(TRIGGERS):
            if names.done(taken.names - taken.late_names, needs):
                return Cause.EVENT
            if names.changed(taken.attributes - taken.late_attributes, needs):
                return Cause.ATTRIBUTE if Cause.ATTRIBUTE in causes else Cause.EVENT
        if names.done(taken.late_names, needs) or names.changed(taken.late_attributes, needs):
            # Though it be time as well: what is late never starts anything, not even in good company.
            return strongest(causes & LATE)
        if names.done(taken.names, needs) or names.changed(taken.attributes, needs):
            return strongest(causes)
        if Cause.TIME in causes and needs.time:
            return Cause.TIME
        return Cause.MERGE if Cause.MERGE in causes else None


TRIGGERS = frozenset({Cause.EVENT, Cause.ATTRIBUTE})
LATE = frozenset({Cause.HISTORY, Cause.MERGE})
_RANK = (Cause.EVENT, Cause.ATTRIBUTE, Cause.TIME, Cause.HISTORY, Cause.MERGE)


def strongest(causes: Iterable[str]) -> Cause:
    """Of several causes that cannot be told apart, the one that says most."""
    found = set(causes)
    return next((cause for cause in _RANK if cause in found), Cause.HISTORY)


class Touched:
    """What of the taken bears on which needs: the numbers of events and the names of values, looked up once."""

    def __init__(self, live: Iterable[Live]) -> None:
        wanted = set().union(*(one.needs.events for one in live))
        self._names = Names.of(wanted | {"*"})
        self._numbers = {name: self._names.numbers(name) for name in wanted}
        self._ours = set(self._names.ours)

    def done(self, names: Set[int], needs: Needs) -> bool:
        if not names:
            return False
        if needs.anything and not names <= self._ours:
            return True
        return any(not names.isdisjoint(self._numbers[name]) for name in needs.events)

    @staticmethod
    def changed(changed: Set[str], needs: Needs) -> bool:
        if not changed:
            return False
        if needs.account and not changed.isdisjoint({"$account", "account"}):
            return True
        return not (
            needs.attributes.isdisjoint(changed) and {f"account.{name}" for name in needs.account}.isdisjoint(changed)
        )


@dataclass
class Standing:
    """All live segments at one moment. `levels`: those of a level use segments of the levels before alone."""

    live: list[Live]
    broken: dict[int, str] = field(default_factory=dict)
    making: bool = False  # whether somebody makes a segment live, which is not among these yet

    @cached_property
    def levels(self) -> list[list[Live]]:
        left = {one.slug: one for one in self.live}
        levels: list[list[Live]] = []
        while left:
            ready = [one for one in left.values() if one.needs.segments.isdisjoint(left)]
            if not ready:  # a circle, which saving refuses
                ready = list(left.values())
            levels.append(ready)
            for one in ready:
                del left[one.slug]
        return levels

    @cached_property
    def touched(self) -> Touched:
        return Touched(self.live)


def read(*, lock: bool = False) -> Standing:
    """The live segments. With `lock` each is held until the transaction ends, but for those that somebody builds.

    The rows are read after the locks are taken, so that what is held is what was read.
    """
    held: set[int] = set()
    making = False
    if lock:
        free = dict(_sql.rows("hold"))
        making = not free.pop(0)
        held = {id for id, ours in free.items() if ours}
    standing = _standing(_rows())
    standing.making = making
    standing.live = [replace(one, locked=lock and one.id not in held) for one in standing.live]
    return standing


def _rows() -> list[Any]:
    return list(
        Segment.objects.filter(status=Segment.Status.LIVE)
        .annotate(text=Cast("definition", TextField()))
        .order_by("family", "position", "slug")
        .values_list("id", "slug", "version_id", "kind", "family", "marketing", "text", named=True)
    )


def _standing(rows: list[Any]) -> Standing:
    standing = Standing([])
    before: dict[str, list[Node]] = {}
    for row in rows:
        try:
            own = _own(row)
        except Invalid as invalid:
            standing.broken[row.id] = f"Its definition cannot be read: {invalid}"
            continue
        earlier = before.setdefault(row.family, []) if row.family else []
        if row.kind == Segment.Kind.DYNAMIC:
            whole = _whole(own, tuple(earlier), row.marketing)
            standing.live.append(Live(row.id, row.slug, row.version_id, whole))
        earlier.append(own.root)
    return standing


def _own(row: Any) -> Condition:
    if row.kind == Segment.Kind.STATIC:
        return language.parse({"kind": "segment", "slug": row.slug})
    return _parsed(row.text)


@lru_cache(maxsize=2_000)
def _parsed(definition: str) -> Condition:
    return language.parse(json.loads(definition))


@lru_cache(maxsize=2_000)
def _whole(own: Condition, earlier: tuple[Node, ...], marketing: bool) -> Condition:
    """The condition of a segment whose family has these before it: the first that matches wins.

    Who must not be in that one is in none of the family for it: nobody is sorted elsewhere by what they asked for.
    """
    whole = Condition(Group("all", (own.root, Group("not", (Group("any", earlier),))))) if earlier else own
    return limits.within(whole, marketing=marketing)
