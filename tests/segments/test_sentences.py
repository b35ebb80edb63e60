"""How conditions read: as somebody would say them."""

from typing import Any

import pytest
from django.test import override_settings

from segments.language import parse


def often(op: str, value: Any) -> dict[str, Any]:
    return {"kind": "event", "name": "order_paid", "count": {"op": op, "value": value}}


WINDOW = {"between": ["2026-01-01", "2026-07-03T09:30:00+02:00"]}
SAID: list[tuple[dict[str, Any], str]] = [
    (often("gte", 0), "who did “Order paid” any number of times, or never"),
    (often("gte", 1), "who did “Order paid”"),
    (often("gt", 0), "who did “Order paid”"),
    (often("is_not", 0), "who did “Order paid”"),
    (often("gt", 1), "who did “Order paid” more than once"),
    (often("is", 0), "who did not do “Order paid”"),
    (often("lt", 1), "who did not do “Order paid”"),
    (often("lt", 2), "who did “Order paid” fewer than 2 times"),
    (often("lte", 3), "who did “Order paid” at most 3 times, or never"),
    (often("is", 1), "who did “Order paid” exactly once"),
    (often("is_not", 3), "who did “Order paid” any number of times but 3, or never"),
    (often("lt", 0), "who did “Order paid” an impossible number of times"),
    (often("between", [0, 3]), "who did “Order paid” 0 to 3 times"),
    (
        {"kind": "event", "name": "order_paid", "window": {"last": {"weeks": 1}}, "count": None, "where": None},
        "who did “Order paid” in the last week",
    ),
    (
        {"kind": "recency", "name": "*", "op": "more_than_ago", "value": {"hours": 1}, "which": None},
        "who last did anything more than an hour ago",
    ),
    (
        {"kind": "journey", "slug": "hello", "status": "completed", "count": {"op": "is", "value": 0}, "window": None},
        "who never completed the journey “Hello”",
    ),
    ({"kind": "attribute", "name": "note", "op": "is", "value": ""}, "whose note is an empty text"),
    (
        {"kind": "attribute", "name": "note", "op": "in", "value": ["", "b"]},
        "whose note is one of an empty text or “b”",
    ),
    (
        {"kind": "event", "name": "order_paid", "window": WINDOW},
        "who did “Order paid” from 1 January 2026 until before 3 July 2026, 07:30 UTC",
    ),
]


@pytest.mark.parametrize(("definition", "clause"), SAID, ids=[clause for _, clause in SAID])
def test_a_condition_reads_as_somebody_would_say_it(definition: dict[str, Any], clause: str) -> None:
    assert parse(definition).sentence() == f"People {clause}"


def test_moments_are_told_in_the_projects_zone() -> None:
    with override_settings(PROJECT_TIME_ZONE="Europe/Berlin"):
        said = parse({"kind": "event", "name": "a", "window": WINDOW}).sentence()
    assert said == "People who did “A” from 1 January 2026 until before 3 July 2026, 09:30 (Europe/Berlin)"
