"""Whether somebody is among those who do something most."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from foundation import wording
from segments import behaviour, counts, fields
from segments.behaviour import Where
from segments.comparing import plain
from segments.fields import Look
from segments.kinds import KINDS, Answer, Leaf, Needs
from segments.moments import Since, Window
from segments.places import Place
from segments.question import Question


def shared_window(value: Any, place: Place) -> Window:
    """A window that is the same for everybody, as they are compared with each other."""
    read = fields.window(value, place)
    if isinstance(read, Since):
        place.at("since").refuse("People are compared with each other here: use last or between.")
    return read


@KINDS.register
@dataclass(frozen=True)
class Top(Leaf):
    """Keeps the most active share of those who did it at least once; ties at the edge are in.

    It ranks everybody, whoever is asked about.
    """

    key = "top"
    label = "Whether they are among the most active"
    group = "What they do"
    icon = "leaderboard"
    example = {"kind": "top", "name": "*", "percent": 10, "window": {"last": {"days": 30}}}

    name: tuple[str, ...] = fields.asks(fields.names, look=Look("What they did", of="event"))
    percent: Decimal = fields.asks(
        fields.percent, look=Look("The most active", before="among the", after="% that most often did", place=-1)
    )
    window: Window | None = fields.asks(shared_window, default=None, look=Look("When"))
    where: tuple[Where, ...] = fields.asks(behaviour.wheres, default=(), look=behaviour.FILTERS)

    def answer(self, q: Question) -> Answer:
        tallies = behaviour.tally_of_all(q, self.name, self.where, counts.span(self.window, q.at))
        share = q.bind(self.percent, "numeric")
        ranked = (
            "SELECT c.key, c.n, rank() OVER (ORDER BY c.n DESC) AS place, count(*) OVER () AS people"
            f" FROM ({tallies}) c WHERE c.n > 0"
        )
        table = q.table(
            f"SELECT r.key, r.place, r.people, r.place <= ceil(r.people * {share} / 100) AS kept FROM ({ranked}) r"
            f" WHERE true{q.only('r.key')}"
        )
        return Answer(f"({table}.kept IS TRUE)", (f"{table}.place", f"{table}.people"))

    def clause(self) -> str:
        what = behaviour.done(self.name, self.where)
        return f"who are among the {plain(self.percent)}% that did {what} most often{self.window or ''}"

    def needs(self) -> Needs:
        return Needs.done(self.name, time=True, whole=True)

    def tell(self, *found: int | None) -> str:
        if found[0] is None:
            return "never did it"
        return f"place {wording.amount(found[0])} of {wording.amount(found[1] or 0)}"
