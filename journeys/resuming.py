"""What becomes of those on the way when a pause is over: a few at once, many batch by batch, by the engine.

Until all are done the journey stands still, as when a change of it is carried out. A batch at a time is written,
so that no statement grows with the people, and whoever takes over goes on where the last one stopped.
"""

from datetime import datetime, timedelta
from typing import Any

from foundation.errors import Conflict
from foundation.sql import statements
from journeys import pausing, skipping
from journeys.models import Journey

CATCH_UP, SHIFT, SKIP = "catch_up", "shift", "skip"
HOW = (CATCH_UP, SHIFT, SKIP)
"""The ways to resume."""
AT_ONCE, BATCH = 5_000, 2_000
_sql = statements("journeys", "pausing")


def begin(journey: Journey, how: str, length: timedelta, now: datetime, *, ramp: int) -> None:
    """Has those on the way go on after a pause of that length; the caller holds the journey, and saves it.

    `Conflict` where they are many, and an earlier change is still being carried out.
    """
    if _are_many(journey):
        if journey.carrying is not None:
            raise Conflict(f"A change of the journey {journey.name} is still being carried out: try again soon.")
        people = _sql.rows("on_the_way", {"journey": journey.pk})[0][0]
        steps = {CATCH_UP: ["late", "ask"], SHIFT: ["shift", "ask"], SKIP: ["ask", SKIP]}[how]
        journey.carrying = {
            "resume": [*steps, "let_in"],
            "resumed": now.isoformat(),
            "length": length.total_seconds(),
            "ramp": ramp,
            "people": people,
            "done": 0,
            "late": 0,
            "after": None,
        }
        return
    params = {"journey": journey.pk, "now": now, "ramp": ramp}
    if how == SHIFT:
        _sql.run("shift", {"journey": journey.pk, "length": length})
        _sql.run("ask", params)
    elif how == SKIP:
        _sql.run("ask", params)
        skipping.begin(journey, now, ramp=ramp)
    else:
        _sql.run("catch_up", params)
    pausing.let_in(journey, now, ramp=ramp)


def _are_many(journey: Journey) -> bool:
    on_the_way = journey.enrollments.filter(state="active").order_by()
    return max(on_the_way[: AT_ONCE + 1].count(), journey.queued.order_by()[: AT_ONCE + 1].count()) > AT_ONCE


def carry(journey: Journey, now: datetime) -> int:
    """Goes on with a batch of a journey that the caller holds, and saves; how much it did."""
    plan: dict[str, Any] = journey.carrying or {}
    step = plan["resume"][0]
    if step == SKIP:
        return _skip(journey, plan, now)
    params = {
        "journey": journey.pk,
        "resumed": datetime.fromisoformat(plan["resumed"]),
        "length": timedelta(seconds=plan["length"]),
        "ramp": plan["ramp"],
        "late": plan["late"],
        "after": plan["after"],
        "limit": BATCH,
    }
    [(people, last)] = _sql.rows(_BATCHES[step], params)
    if step in ("late", "ask", "let_in"):
        plan["late"] += people
    plan["done"], plan["after"] = plan["done"] + people, last and str(last)
    if not people:
        _next(journey, plan)
    return int(people) or 1


_BATCHES = {"late": "late_batch", "shift": "shift_batch", "ask": "ask_batch", "let_in": "let_in_batch"}


def _next(journey: Journey, plan: dict[str, Any]) -> None:
    plan["resume"], plan["after"] = plan["resume"][1:], None
    if plan["resume"] and plan["resume"][0] == "let_in":
        plan["late"] = 0  # who comes in anew has a ramp of their own
    if not plan["resume"]:
        journey.carrying = None


def _skip(journey: Journey, plan: dict[str, Any], now: datetime) -> int:
    """As `skipping` does it, under the plan of ours."""
    journey.carrying = {"skip": plan["resumed"], "late": plan["late"], "ramp": plan["ramp"]}
    people = skipping.carry(journey, now)
    if journey.carrying is None:
        _next(journey, plan)
        people = people or 1
    else:
        plan["late"], plan["done"] = journey.carrying["late"], plan["done"] + people
    journey.carrying = plan if plan["resume"] else None
    return people


def said(journey: Journey) -> str:
    """How far a change of what becomes of people is, in a sentence for staff; "" where none is under way."""
    plan = journey.carrying
    if plan is None:
        return ""
    if "resume" not in plan:
        return "People are being taken over as was chosen. Until that is done, nobody goes on."
    return (
        f"It is being resumed: {min(plan['done'], plan['people']):,} of {plan['people']:,} people have been looked at."
        " Until that is done, nobody goes on."
    )
