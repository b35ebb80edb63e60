"""How long what messages said is kept: a rule of retention, which staff set."""

from datetime import datetime

from consent.retention import Kept, keep
from foundation.sql import statements

_sql = statements("messaging", "keeping")


def count(before: datetime, most: int) -> int:
    return int(_sql.rows("old_contents", {"before": before, "limit": most})[0][0])


def drop(before: datetime, limit: int) -> int:
    return _sql.run("forget_contents", {"before": before, "limit": limit})


keep(
    Kept(
        key="messages",
        label="What messages said",
        what="The subject and the text of each message, and the address that it went to.",
        stays="That it was sent, when, why, and what came of it: all figures and reports.",
        least=90,
        default=None,
        count=count,
        drop=drop,
        batch=1_000,
    )
)
