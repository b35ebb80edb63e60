"""Events by name and properties: which of those at hand a pattern means, by the same comparisons as all conditions."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from foundation.sql import array, array_of_moments
from profiles.models import EventType
from profiles.pulses import Triggering
from segments import behaviour, counts, question
from segments.places import Place, Scope
from segments.question import Names, Question, both

ANYTHING = "*"


class Pattern:
    """Events of one of these names whose properties are so."""

    def __init__(self, name: str | Sequence[str], where: Any = None) -> None:
        self.names = (name,) if isinstance(name, str) else tuple(name)
        self.where = behaviour.wheres(where or [], Place("where", Scope.JOURNEY))

    def sentence(self) -> str:
        return f"somebody does {self.what()}"

    def what(self) -> str:
        """`“Report exported” (format is “pdf”)`."""
        return behaviour.done(self.names, self.where)

    def named(self, name: str, also: Collection[str] = ()) -> bool:
        """Whether an event of that name, also known as these, is meant."""
        if ANYTHING in self.names and not name.startswith("$"):
            return True
        return name in self.names or not set(self.names).isdisjoint(also)

    def among(self, events: Sequence[Triggering], renames: "Renames", at: datetime) -> list[Triggering]:
        """Those of these events that are meant, in their order; one question, however many."""
        found = [event for event in events if self.named(event.name, renames.of(event.name))]
        if not found or not self.where:
            return found
        q = Question(at, Names([]))
        ids = q.bind([event.id for event in found], "bigint[]")
        properties = q.bind([json.dumps(event.properties) for event in found], "text[]")
        rows = f"(SELECT id, properties::jsonb FROM unnest({ids}, {properties}) AS u(id, properties)) AS e"
        tests = both([where.holds(q, "e") for where in self.where])
        _, params = q.select(["true"])
        met = {id for (id,) in question.ask(f"SELECT e.id FROM {rows} WHERE {tests}", params)}
        return [event for event in found if event.id in met]

    def done(self, asked: Sequence["Asked"], at: datetime) -> set[UUID]:
        """The keys of those who did it, after `since` and up to `until`; one question, however many are asked."""
        if not asked:
            return set()
        q = Question(at, Names.of({*self.names, ANYTHING}))
        keys, profiles = (
            q.bind(array(one.key for one in asked), "uuid[]"),
            q.bind(array(one.profile_id for one in asked), "uuid[]"),
        )
        since = q.bind(array_of_moments(one.since for one in asked), "timestamptz[]")
        until = q.bind(array_of_moments(one.until for one in asked), "timestamptz[]")
        tests = [
            counts.named(q, self.names, "e.name_id"),
            "e.occurred_at > u.since AND e.occurred_at <= u.until",
            # Said again for all, so that only the months in question are read.
            f"e.occurred_at > {q.moment(min(one.since for one in asked))} AND e.occurred_at <= {q.moment(at)}",
            *(where.holds(q, "e") for where in self.where),
        ]
        rows = f"unnest({keys}, {profiles}, {since}, {until}) AS u(key, profile_id, since, until)"
        found = f"SELECT FROM profiles_event e WHERE e.profile_id = u.profile_id AND {both(tests)}"
        _, params = q.select(["true"])
        return {key for (key,) in question.ask(f"SELECT u.key FROM {rows} WHERE EXISTS ({found})", params)}


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody of whom it is asked whether they did something between two moments."""

    key: UUID
    profile_id: UUID
    since: datetime
    until: datetime


class Renames:
    """The names that events go by: what was renamed answers to its names of today and of before."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._today = dict(pairs)
        self._known: dict[str, set[str]] = {}
        for name in {*self._today, *self._today.values()}:
            self._known.setdefault(self._root(name), set()).add(name)

    @classmethod
    def read(cls) -> "Renames":
        return cls(EventType.objects.filter(renamed_to__isnull=False).values_list("name", "renamed_to__name"))

    def _root(self, name: str) -> str:
        for _ in range(20):  # renames of renames; a circle ends somewhere
            if self._today.get(name, name) == name:
                break
            name = self._today[name]
        return name

    def of(self, name: str) -> set[str]:
        return self._known.get(self._root(name), {name})

    def all_of(self, names: Iterable[str]) -> set[str]:
        return {also for name in names for also in self.of(name)}
