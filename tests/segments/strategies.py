"""Random people and conditions, made to meet at the edges: few names, hard values, times on and beside the borders."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.segments.world import Done, Someone

AT = datetime(2026, 3, 15, 12, 30, tzinfo=UTC)
NAMES = ("a", "b", "c")
OURS = ("$message_opened", "$message_sent", "$journey_entered")
PROPERTIES = ("x", "y")
DURATIONS: tuple[dict[str, int], ...] = (
    {"minutes": 30},
    {"hours": 1},
    {"hours": 12},
    {"days": 1},
    {"days": 2},
    {"days": 7},
    {"weeks": 2},
    {"days": 30},
)
_LENGTHS = [timedelta(**d) for d in DURATIONS]
_TEXTS = ("pro", "Pro", "PRO ", "", "İstanbul", "i̇", "ΣΑΣ", "σας", "ẞ", "ß", "%", "_", "1", "true", "null", "10%_x")
_MOMENTS = (
    "2026-03-15",
    "2026-03-15T12:30:00Z",
    "2026-03-15t12:30:00.000001z",
    "2026-03-15T12:30:00.0000019Z",
    "2026-03-14T12:30:00",
    "2026-03-08T13:30:00+01:00",
    "2026-03-16",
    "2026-03-29T02:30:00",
    "2026-10-25T02:30:00",
    "2026-02-29",
    "2026-03-15 12:30:00",
    "2026-03-15T12:30Z",
    "2026-03-15T24:00:00Z",
    "yesterday",
    "0000-01-01",
    "2026-03-15\n",
    "2026-3-5",
    "infinity",
)
_NUMBERS = (0, 1, 1.0, -1, 2, 3, 0.1, 0.3, 1e-9, 12345678901234, 2.5, 0.1 + 0.2, 1e300, -1e300, 5e-324, 2**53)
GOOD_MOMENTS = (*_MOMENTS[:9], "0001-01-01", "9999-12-31T23:59:59.999999Z", "2026-03-15T00:00:00+23:59")

scalars = st.one_of(st.sampled_from(_TEXTS), st.sampled_from(_NUMBERS), st.booleans())
values = st.one_of(
    scalars,
    st.sampled_from(_MOMENTS),
    st.none(),
    st.lists(st.one_of(scalars, st.none()), max_size=3),
    st.sampled_from([{"k": 1}, {"k": 1.0}, {"j": [1], "k": None}, [[1]], [[1.0]]]),
)
durations = st.sampled_from(DURATIONS)


@st.composite
def moments(draw: st.DrawFn) -> datetime:
    """A time before or about AT: on the border of some window, a microsecond beside it, or anywhere."""
    back = draw(st.sampled_from([timedelta(0), *_LENGTHS, *(2 * one for one in _LENGTHS)]))
    beside = draw(
        st.one_of(
            st.sampled_from([timedelta(0), timedelta(microseconds=1), timedelta(microseconds=-1)]),
            st.integers(-600, 600).map(lambda minutes: timedelta(minutes=minutes)),
        )
    )
    whole = draw(st.sampled_from([False, False, False, True]))
    at = AT - back + beside
    return at.replace(hour=0, minute=0, second=0, microsecond=0) if whole else at


@st.composite
def events(draw: st.DrawFn) -> Done:
    name = draw(st.sampled_from([*NAMES, *NAMES, *OURS]))
    if name.startswith("$message"):
        properties: dict[str, Any] = {
            "template": draw(st.sampled_from(["welcome", "Welcome", "tips"])),
            "channel": draw(st.sampled_from(["email", "sms"])),
            "journey": draw(st.sampled_from(["onboarding", "", None])),
        }
    elif name.startswith("$journey"):
        properties = {"journey": draw(st.sampled_from(["onboarding", "Onboarding", "win-back"]))}
    else:
        properties = draw(st.dictionaries(st.sampled_from(PROPERTIES), values, max_size=2))
    return Done(name, draw(moments()), properties)


@st.composite
def people(draw: st.DrawFn) -> list[Someone]:
    made = []
    for _ in range(draw(st.integers(1, 6))):
        columns: dict[str, Any] = {}
        if draw(st.booleans()):
            columns["email"] = draw(st.sampled_from([None, "", "ada@Example.com", "2026-03-15"]))
        if draw(st.booleans()):
            columns["created_at"] = draw(st.one_of(st.none(), moments()))
        if draw(st.integers(0, 4)) == 0:
            columns["external_id"] = None
        made.append(
            Someone(
                events=draw(st.lists(events(), max_size=7)),
                attributes=draw(st.dictionaries(st.sampled_from(["x", "y", "email"]), values, max_size=3)),
                columns=columns,
                account=draw(st.one_of(st.none(), st.dictionaries(st.sampled_from(["x", "name"]), values, max_size=2))),
            )
        )
        account = made[-1].account
        if account is not None and "name" in account and not isinstance(account["name"], str):
            account["name"] = None
    return made


OPERATORS = (
    *("is", "is_not", "in", "not_in", "contains", "not_contains", "starts_with", "ends_with"),
    *("gt", "gte", "lt", "lte", "between", "before", "after"),
    *("within_last", "more_than_ago", "within_next", "more_than_ahead", "is_set", "is_not_set"),
)
KINDS = (
    *("attribute", "account", "event", "event", "measure", "recency", "trend", "sequence", "top"),
    *("message", "journey", "sample"),
)


# ── Conditions ───────────────────────────────────────────────────────────────────────────────────────────────────────
numbers = st.one_of(st.sampled_from(_NUMBERS), st.sampled_from([0, 1, 2, 3]))


@st.composite
def comparisons(draw: st.DrawFn) -> dict[str, Any]:
    op = draw(st.sampled_from(OPERATORS))
    match op:
        case "is" | "is_not" | "contains" | "not_contains":
            value: Any = draw(scalars)
        case "in" | "not_in":
            value = draw(st.lists(scalars, max_size=3))
        case "starts_with" | "ends_with":
            value = draw(st.sampled_from(_TEXTS))
        case "between":
            value = draw(st.tuples(numbers, numbers).map(list))
        case "before" | "after":
            value = draw(st.sampled_from(GOOD_MOMENTS))
        case "is_set" | "is_not_set":
            return {"op": op}
        case "gt" | "gte" | "lt" | "lte":
            value = draw(numbers)
        case _:
            value = draw(durations)
    return {"op": op, "value": value}


@st.composite
def numerics(draw: st.DrawFn) -> dict[str, Any]:
    op = draw(st.sampled_from(["is", "is_not", "gt", "gte", "lt", "lte", "between"]))
    return {"op": op, "value": draw(st.tuples(numbers, numbers).map(list) if op == "between" else numbers)}


names = st.one_of(
    st.sampled_from([*NAMES, "*", "nobody_sent_this", "$message_opened"]),
    st.lists(st.sampled_from([*NAMES, "*", "$message_sent", "nobody_sent_this"]), min_size=1, max_size=3),
)
wheres = st.lists(
    st.tuples(st.sampled_from(PROPERTIES), comparisons()).map(lambda pair: {"property": pair[0], **pair[1]}), max_size=2
)


def windows(*, since: bool = False) -> st.SearchStrategy[Any]:
    last = durations.map(lambda d: {"last": d})
    edges = st.one_of(moments().map(lambda at: at.isoformat()), st.sampled_from(GOOD_MOMENTS))
    between = st.tuples(edges, edges).map(lambda pair: {"between": list(pair)})
    options = [last, last, between]
    if since:
        options.append(st.sampled_from([{"since": "entry"}, {"since": "step"}]))
    return st.one_of(*options)


@st.composite
def leaves(draw: st.DrawFn, since: bool = False, kinds: tuple[str, ...] = ()) -> dict[str, Any]:
    kind = draw(st.sampled_from(kinds or KINDS))
    leaf: dict[str, Any] = {"kind": kind}

    def maybe(key: str, strategy: st.SearchStrategy[Any]) -> None:
        if draw(st.booleans()):
            leaf[key] = draw(strategy)
        elif draw(st.integers(0, 5)) == 0:
            leaf[key] = None  # as good as absent

    match kind:
        case "attribute":
            leaf |= {"name": draw(st.sampled_from(["x", "y", "email", "created_at", "nope"])), **draw(comparisons())}
        case "account":
            leaf |= {"name": draw(st.sampled_from(["x", "name"])), **draw(comparisons())}
        case "event":
            leaf["name"] = draw(names)
            maybe("where", wheres)
            maybe("count", numerics())
            maybe("window", windows(since=since))
        case "measure":
            of = draw(st.sampled_from(["sum", "avg", "min", "max", "distinct", "days"]))
            leaf |= {"name": draw(names), "of": of}
            if of != "days":
                leaf["property"] = draw(st.sampled_from([*PROPERTIES, "$name"]))
            leaf |= draw(st.one_of(numerics(), numerics(), st.sampled_from([{"op": "is_set"}, {"op": "is_not_set"}])))
            maybe("where", wheres)
            maybe("window", windows(since=since))
        case "recency":
            leaf |= {"name": draw(names), "op": draw(st.sampled_from(["within_last", "more_than_ago"]))}
            leaf["value"] = draw(durations)
            maybe("which", st.sampled_from(["first", "last"]))
        case "trend":
            leaf |= {"name": draw(names), "window": draw(durations)}
            leaf |= {
                "op": draw(st.sampled_from(["falls_by", "rises_by"])),
                "percent": draw(st.sampled_from([0, 50, 33.3, 100])),
            }
        case "sequence":
            step = st.fixed_dictionaries({"name": names}, optional={"where": wheres})
            leaf |= {"steps": draw(st.lists(step, min_size=2, max_size=3)), "within": draw(durations)}
            maybe("last_step", st.sampled_from(["happens", "absent"]))
            maybe("window", windows(since=since))
        case "top":
            leaf |= {"name": draw(names), "percent": draw(st.sampled_from([10, 25, 33.3, 50, 99, 100]))}
            maybe("where", wheres)
            maybe("window", windows())
        case "message":
            leaf["status"] = draw(st.sampled_from(["sent", "opened", "clicked"]))
            maybe("template", st.sampled_from(["welcome", "tips"]))
            maybe("channel", st.sampled_from(["email", "sms"]))
            maybe("count", numerics())
            maybe("window", windows(since=since))
        case "journey":
            leaf |= {"slug": draw(st.sampled_from(["onboarding", "win-back"])), "status": "entered"}
            maybe("count", numerics())
            maybe("window", windows(since=since))
        case "sample":
            leaf |= {
                "percent": draw(st.sampled_from([0, 25, 50, 33.33, 100])),
                "salt": draw(st.sampled_from(["s", "t"])),
            }
    return leaf


def conditions(*, since: bool = False, kinds: tuple[str, ...] = ()) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves(since=since, kinds=kinds),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(lambda parts: {"all": parts}),
            st.lists(inner, max_size=3).map(lambda parts: {"any": parts}),
            inner.map(lambda part: {"not": part}),
        ),
        max_leaves=5,
    )
