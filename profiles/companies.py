"""The companies that a batch's `group` calls name: made, filled, and their people told of what changed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from foundation.sql import statements
from foundation.wake import wake
from profiles import latest
from profiles.calls import Call, Kind
from profiles.identity import Person, Trust
from profiles.latest import News
from profiles.models import Pulse

_sql = statements("profiles", "ingest")
_COLUMNS = ("name",)


@dataclass(slots=True, eq=False)
class _Company:
    row: dict[str, Any]
    is_introduced: bool  # nobody has named it before the next call that does
    is_touched: bool = False
    news: News = field(default_factory=News)


class Companies:
    """The companies of a batch, held, so that nobody else writes to them meanwhile."""

    def __init__(self, calls: Sequence[Call], trust: Trust, now: datetime) -> None:
        self.trust, self.now = trust, now
        self._by_external_id: dict[str, _Company] = {}
        self._left: dict[UUID, tuple[Person, str, Call]] = {}
        wanted = sorted({call.group_id for call in calls if call.kind is Kind.GROUP})
        if wanted:
            new = {made for (made,) in _sql.rows("make_accounts", {"external_ids": wanted, "now": now})}
            for (text,) in _sql.rows("hold_accounts", {"external_ids": wanted}):
                row = json.loads(text)
                self._by_external_id[row["external_id"]] = _Company(row, row["external_id"] in new)

    def group(self, person: Person, call: Call) -> None:
        """Ties the person to the company and takes its values.

        A browser's key is anybody's: it ties only a person who has no company, and fills only a company that is new.
        """
        company = self._by_external_id[call.group_id]
        browser = self.trust is Trust.BROWSER
        before = person.row["account_id"]
        if not (browser and before) and latest.tie(person.row, company.row["id"], call.occurred_at):
            names = ("name", *company.row["attributes"], *call.values)
            person.note([f"account.{name}" for name in names], call)
            if before:
                _, first, _ = self._left.get(person.id, (person, before, call))
                self._left[person.id] = (person, first, call)
        if not browser or company.is_introduced:
            self._fill(company, call)
        company.is_introduced = False

    def _fill(self, company: _Company, call: Call) -> None:
        company.is_touched = True
        for name, value in call.values.items():
            if latest.put(company.row, name, value, call.occurred_at, _COLUMNS):
                company.news.note([name], triggers=call.triggers)

    def write(self) -> None:
        """Writes the companies, and notes what people lose of the companies that they have left."""
        touched = [company.row for company in self._by_external_id.values() if company.is_touched]
        if touched:
            _sql.run("write_accounts", {"rows": json.dumps(touched)})
        if self._left:
            ids = list({account for _, account, _ in self._left.values()})
            names = dict(_sql.rows("account_names", {"ids": ids}))
            for person, account, call in self._left.values():
                person.note([f"account.{name}" for name in ("name", *names.get(UUID(account), []))], call)

    def tell(self) -> None:
        """Adds a pulse for each of the people of a company whose values changed, when the people are written."""
        rows = [
            {
                "account": company.row["id"],
                "cause": (Pulse.Cause.ATTRIBUTE if fresh else Pulse.Cause.HISTORY).value,
                "attributes": sorted(f"account.{name}" for name in names),
            }
            for company in self._by_external_id.values()
            for fresh, names in company.news.parts()
            if names
        ]
        if rows:
            _sql.run("pulse_colleagues", {"rows": json.dumps(rows), "now": self.now})
            wake("journeys.react")
