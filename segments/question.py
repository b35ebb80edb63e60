"""One question to the database: conditions add what they need to it, and it is asked once for all its people.

Each leaf joins a *table* (a derived one, at most one row a person) and answers with an expression over its columns that
is true or false and never NULL, so that groups are plain `AND`, `OR` and `NOT`. Values are bound parameters alone.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection, transaction

from foundation.sql import array, array_of_moments
from segments.moments import INSTANT, zone_name

TRUE, FALSE = "true", "false"
# Over everybody: hash in memory, and never loop over one table for each row of another, which a wrong estimate (there
# are no statistics on derived tables) would make a loop of millions. Small lookups are written as the loops they are.
# Nor sort both sides for a merge: of rows that are met once, hashing one costs less.
_WIDE = {"work_mem": "128MB", "jit": "off", "enable_nestloop": "off", "enable_mergejoin": "off"}
# Over some people: no help from other processes, which takes longer to call than it saves.
_NARROW = {"max_parallel_workers_per_gather": "0", "jit": "off"}
_PLAN = """
    SELECT array_agg(current_setting(name)), array_agg(set_config(name, value, true))
    FROM unnest(%(names)s::text[], %(values)s::text[]) AS s(name, value)
"""
_TYPES = """
    SELECT t.id, t.name, coalesce(t.renamed_to_id, t.id),
        (SELECT min(d.day) FROM profiles_eventday d WHERE d.name_id = t.id)
    FROM profiles_eventtype t
    WHERE t.name = ANY(%(names)s::text[]) OR starts_with(t.name, '$') OR t.renamed_to_id IS NOT NULL
        OR t.id IN (SELECT renamed_to_id FROM profiles_eventtype)
"""
_ASKED = """
    SELECT * FROM unnest(%(keys)s::uuid[], %(profiles)s::uuid[], %(entered)s::timestamptz[], %(stepped)s::timestamptz[],
        %(after)s::timestamptz[]) AS w(key, profile_id, entered_at, step_entered_at, after)
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """One of those asked about: a person, with the times that windows and goals of an enrollment begin at.

    `after`: of what the person did, only what came strictly after it is seen.
    """

    key: UUID
    profile_id: UUID
    entered_at: datetime | None = None
    step_entered_at: datetime | None = None
    after: datetime | None = None


class Names:
    """The numbers under which events of a name are stored: its own, and those of the names that became or were it."""

    def __init__(self, rows: Iterable[tuple[int, str, int, date | None]]) -> None:
        rows = list(rows)
        self._renamed = {number: today for number, _, today, _ in rows}
        self._numbers = {name: number for number, name, _, _ in rows}
        self._since = {number: day for number, _, _, day in rows if day is not None}
        self.ours = sorted(number for number, name, _, _ in rows if name.startswith("$"))

    @classmethod
    def of(cls, names: Collection[str]) -> "Names":
        return cls(ask(_TYPES, {"names": sorted(names)})) if names else cls([])

    def numbers(self, name: str) -> set[int]:
        """Empty for a name that nobody has sent."""
        if name not in self._numbers:
            return set()
        today = self._today(self._numbers[name])
        return {number for number in self._renamed if self._today(number) == today}

    def since(self, names: Iterable[str]) -> datetime | None:
        """A moment before which nothing of these names was done; None if nothing was at all."""
        numbers: set[int] = set().union(*(self.numbers(name) for name in names))
        day = min((self._since[number] for number in numbers if number in self._since), default=None)
        return datetime.combine(day, time(), UTC) if day else None

    def today(self, q: "Question", column: str) -> str:
        """The number of the name that a stored number has today, as SQL: of renamed ones, that of the new name."""
        moved = {number: self._today(number) for number in self._renamed}
        moved = {old: new for old, new in moved.items() if old != new}
        if not moved:
            return column
        old, new = q.bind(list(moved), "int[]"), q.bind(list(moved.values()), "int[]")
        return f"coalesce(({new})[array_position({old}, {column})], {column})"

    def _today(self, number: int) -> int:
        for _ in range(20):  # renames of renames; a circle ends somewhere
            following = self._renamed.get(number, number)
            if following == number:
                break
            number = following
        return number


@dataclass
class _Shared:
    """A table of a question under way, whose columns several leaves add."""

    alias: str
    build: Callable[[Sequence[Any]], str]
    by_person: bool
    wanted: list[Any] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)

    def join(self) -> str:
        columns = ", ".join(f"{column} AS c{number}" for number, column in enumerate(self.columns))
        body = f"SELECT r.key, {columns} FROM {self.build(self.wanted)} r GROUP BY 1"
        return f"LEFT JOIN ({body}) {self.alias} ON {self.alias}.key = {'p.id' if self.by_person else 'w.key'}"


class Question:
    """A question under way: about everybody, about the people `among`, or about each of those `asked`."""

    def __init__(
        self,
        at: datetime,
        names: Names,
        *,
        among: Collection[UUID] | None = None,
        asked: Sequence[Asked] | None = None,
        explaining: bool = False,
    ) -> None:
        self.at = at
        self.names = names
        self.explaining = explaining
        self.asked = asked
        # With `asked`, leaves that look at people as such are asked about the people, whatever they are asked for.
        self.among = (
            sorted({a.profile_id for a in asked}) if asked is not None else None if among is None else list(among)
        )
        afters = [a.after for a in asked or () if a.after]
        self.bounded = bool(afters)
        self.earliest = min(afters) if afters and len(afters) == len(asked or ()) else None
        self._params: dict[str, Any] = {}
        self._bound: dict[tuple[str, Any], str] = {}
        self._tables: dict[tuple[str, str], str] = {}
        self._joins: list[str] = []
        self._shared: dict[Hashable, _Shared] = {}

    # ── What leaves add ──────────────────────────────────────────────────────────────────────────────────────────────
    def bind(self, value: object, cast: str) -> str:
        """The parameter that stands for `value` in SQL."""
        key = (cast, tuple(value) if isinstance(value, list) else value)
        if key not in self._bound:
            name = f"v{len(self._params)}"
            self._params[name] = value
            self._bound[key] = f"%({name})s::{cast}"
        return self._bound[key]

    def moment(self, value: datetime) -> str:
        return self.bind(value, "timestamptz")

    @property
    def after(self) -> datetime:
        """The end of what is seen: the first moment that is not."""
        return shifted(self.at, INSTANT)

    @property
    def zone(self) -> str:
        return self.bind(zone_name(), "text")

    def table(self, body: str, *, by_person: bool = True) -> str:
        """Joins the rows of `body`, whose `key` is a person or, not `by_person`, the key of one asked; its alias.

        The same table is joined once, however many leaves want it.
        """
        found = self._tables.get((body, str(by_person)))
        if found is None:
            found = self._tables[body, str(by_person)] = f"t{len(self._tables)}"
            self._joins.append(f"LEFT JOIN ({body}) {found} ON {found}.key = {'p.id' if by_person else 'w.key'}")
        return found

    def shared(
        self,
        build: Callable[[Sequence[Any]], str],
        about: Hashable,
        what: Any,
        column: str,
        *,
        by_person: bool = True,
    ) -> str:
        """A column of a table that leaves of one kind share: the reference to it.

        `build` makes the table's relation `r`, with a `key` as in `table`, for all `what` that was asked `about` the
        same; one pass over it answers them all.
        """
        table = self._shared.setdefault(about, _Shared(f"s{len(self._shared)}", build, by_person))
        table.wanted.append(what)
        if column not in table.columns:
            table.columns.append(column)
        return f"{table.alias}.c{table.columns.index(column)}"

    def account(self) -> None:
        """Joins the person's account, as `a`."""
        join = "LEFT JOIN profiles_account a ON a.id = p.account_id"
        if join not in self._joins:
            self._joins.append(join)

    def only(self, column: str) -> str:
        """`AND column` is one of those asked about, for a table's own WHERE: nothing when everybody is."""
        return "" if self.among is None else f" AND {column} = ANY({self.people})"

    @property
    def people(self) -> str:
        """The array of those asked about."""
        if "among" not in self._params:
            self._params["among"] = None if self.among is None else array(self.among)
        # As a subselect the array is unknown to the planner, which would look at statistics for each of its people.
        return "(SELECT %(among)s::uuid[])::uuid[]"

    # ── How it is asked ──────────────────────────────────────────────────────────────────────────────────────────────
    @property
    def subject(self) -> str:
        """What each row of the answer is about."""
        return "p.id" if self.asked is None else "w.key"

    def select(self, columns: Sequence[str], where: str = TRUE) -> tuple[str, dict[str, Any]]:
        """The whole statement with its parameters; `p` is the person."""
        head, source, only = "", "profiles_profile p", self.only("p.id") if self.asked is None else ""
        if self.asked is not None:
            head = f"WITH w AS MATERIALIZED ({_ASKED})"
            source = "w JOIN profiles_profile p ON p.id = w.profile_id"
            self._params.update(_columns(self.asked))
        joins = "\n".join([*self._joins, *(table.join() for table in self._shared.values())])
        return f"{head} SELECT {', '.join(columns)} FROM {source}\n{joins}\nWHERE {where}{only}", self._params

    def rows(self, columns: Sequence[str], where: str = TRUE) -> list[tuple[Any, ...]]:
        text, params = self.select(columns, where)
        with planned(wide=self.among is None):
            return ask(text, params)


@contextmanager
def planned(*, wide: bool) -> Iterator[None]:
    """Within it PostgreSQL plans for questions about everybody, or about some."""
    settings = _WIDE if wide else _NARROW
    names = list(settings)
    with transaction.atomic(savepoint=False):
        [(before, _)] = ask(_PLAN, {"names": names, "values": list(settings.values())})
        yield
        ask(_PLAN, {"names": names, "values": before})


def ask(text: str, params: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Runs a statement with its parameters bound by the server: no value is ever part of the SQL."""
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(text.encode(), params)
        return cursor.fetchall() if cursor.description else []


def _columns(asked: Sequence[Asked]) -> dict[str, Any]:
    return {
        "keys": array(a.key for a in asked),
        "profiles": array(a.profile_id for a in asked),
        "entered": array_of_moments(a.entered_at for a in asked),
        "stepped": array_of_moments(a.step_entered_at for a in asked),
        "after": array_of_moments(a.after for a in asked),
    }


def either(parts: Sequence[str]) -> str:
    return f"({' OR '.join(parts)})" if parts else FALSE


def both(parts: Sequence[str]) -> str:
    return f"({' AND '.join(parts)})" if parts else TRUE


def earliest(moments: Iterable[str]) -> str:
    """The least of these moments, as SQL; NULL where none comes before the end of what a calendar can say."""
    never = "timestamptz '9999-12-30 00:00:00Z'"
    return f"nullif(least({', '.join([*dict.fromkeys(moments), never])}), {never})"


def shifted(at: datetime, by: timedelta) -> datetime:
    """`at + by`, at the end of time where it would lie beyond."""
    try:
        return at + by
    except OverflowError:
        return datetime.min.replace(tzinfo=at.tzinfo) if by < timedelta(0) else datetime.max.replace(tzinfo=at.tzinfo)
