"""What a playbook asks of an installation: names of events and values. And the same playbook by other names."""

import copy
import dataclasses
import difflib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from foundation.wording import ago, amount
from journeys.testing import keeping
from playbooks import files
from playbooks.files import Playbook
from profiles.models import AttributeType, EventType
from segments.editor.known import Known
from segments.kinds import KINDS

Name = tuple[str, str]
"""What it is a name of (`event`, `attribute`, `account`; or `segment`, `template`, …), and the name."""

DATA = ("event", "attribute", "account")
_ALIKE = 0.55
# Beside conditions, which say themselves what their fields name.
_HOLDS: dict[str, tuple[tuple[str, str], ...]] = {
    "date": (("attribute", "attribute"),),
    "schedule": (("segment", "segment"),),
    "segment_entered": (("segment", "slug"),),
    "segment_left": (("segment", "slug"),),
    "task": (("team", "team"),),
}
_STEP_SEGMENT = (("segment", "add"), ("segment", "remove"))


class _Place(NamedTuple):
    of: str
    holder: Any
    key: str


def _places(value: Any) -> Iterator[_Place]:
    """Wherever a document, a definition or blocks name something: what holds the name, and under which key."""
    if isinstance(value, list):
        for one in value:
            yield from _places(one)
    if not isinstance(value, dict):
        return
    kind = value.get("kind")
    if isinstance(kind, str):
        for of, key in (*_of_condition(kind), *_HOLDS.get(kind, ()), *(_STEP_SEGMENT if kind == "segment" else ())):
            if key in value:
                yield _Place(of, value, key)
        # One thing after another, and one of several things: their inner parts have no kind of their own.
        for inner in value.get({"sequence": "steps", "wait_for": "arms"}.get(kind, ""), []):
            if isinstance(inner, dict) and "name" in inner:
                yield _Place("event", inner, "name")
    until = value.get("until_date")
    if isinstance(until, dict) and "attribute" in until:
        yield _Place("attribute", until, "attribute")
    for one in value.values():
        yield from _places(one)


def _of_condition(kind: str) -> Iterator[tuple[str, str]]:
    variant: Any = KINDS.get(kind)
    for one in dataclasses.fields(variant) if variant else ():
        look = one.metadata.get("look")
        if look and look.of in (*DATA, "segment", "topic", "journey", "template"):
            yield look.of, one.name


def _all(book: Playbook) -> Iterator[_Place]:
    for part in files.PARTS:
        for row in getattr(book, part):
            yield from _places({name: value for name, value in row.items() if name != "tests"})
    for row in book.templates:
        yield _Place("topic", row, "topic")


def _values(place: _Place) -> list[str]:
    found = place.holder[place.key]
    return [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, str)]


def names(book: Playbook) -> list[Name]:
    """The events and values that it asks about, in order of appearance; not our own, nor any."""
    found = [(place.of, name) for place in _all(book) if place.of in DATA for name in _values(place)]
    return list(dict.fromkeys((of, name) for of, name in found if name != "*" and not name.startswith("$")))


# ── What there is here ───────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Asked:
    """A name that the playbook asks about: whether the project knows it, and what here may be meant by it."""

    of: str
    name: str
    said: str = ""
    choices: list[tuple[str, str]] = field(default_factory=list)
    likely: str = ""
    chosen: str = ""

    @property
    def is_known(self) -> bool:
        return not self.choices and not self.chosen and bool(self.said)

    @property
    def what(self) -> str:
        return {"event": "Event", "attribute": "Value of a person", "account": "Value of a company"}[self.of]

    @property
    def field(self) -> str:
        return f"{self.of}.{self.name}"


def asked(book: Playbook, chosen: Mapping[Name, str] | None = None) -> list[Asked]:
    """Each name that it asks about, what is missing first. `chosen`: what is called otherwise here already."""
    wanted, chosen = names(book), chosen or {}
    known = Known()
    events = {
        row.name: row for row in EventType.objects.filter(name__in=[name for of, name in wanted if of == "event"])
    }
    here = {of: {option.value: option.text for option in known.options(of)} for of in DATA}
    rows = AttributeType.objects.filter(name__in=[name for of, name in wanted if of != "event"])
    sent = {("attribute" if row.of == AttributeType.Of.PROFILE else "account", row.name): row for row in rows}
    found = []
    for of, name in wanted:
        said = _known(of, name, events, sent, here)
        if said:
            found.append(Asked(of, name, said, chosen=chosen.get((of, name), "")))
            continue
        choices = [(value, text) for value, text in here[of].items() if value != "*"]
        likely = nearest(name, [value for value, _ in choices])
        choices.sort(key=lambda one: (one[0] not in likely, likely.index(one[0]) if one[0] in likely else 0))
        found.append(Asked(of, name, "", choices, likely[0] if likely else "", chosen.get((of, name), "")))
    return sorted(found, key=lambda one: bool(one.said))


def _known(
    of: str, name: str, events: Mapping[str, EventType], sent: Mapping[Name, Any], here: Mapping[str, Any]
) -> str:
    if of == "event":
        row = events.get(name)
        return f"{amount(row.volume)} so far, last {ago(row.last_seen_at)}" if row else ""
    if row := sent.get((of, name)):
        return f"known of {amount(row.volume)} {'people' if of == 'attribute' else 'companies'}"
    return str(here[of].get(name, ""))


_SAME = (  # words that projects use for the same thing
    {"signed_up", "sign_up", "signup", "registered", "user_registered", "account_created", "user_created", "joined"},
    {"feature_used", "feature", "used_feature", "action", "used"},
    {"plan_upgraded", "upgraded", "upgrade", "subscribed", "subscription_started", "checkout_completed"},
    {"account_closed", "account_deleted", "user_deleted", "cancelled", "canceled", "subscription_cancelled"},
    {"payment_failed", "charge_failed", "invoice_payment_failed", "billing_failed"},
    {"payment_succeeded", "payment_made", "invoice_paid", "charge_succeeded", "paid"},
    {"trial_ends_at", "trial_end", "trial_end_date", "trial_expires_at"},
    {"renews_at", "renewal_date", "contract_end", "renew_at", "next_renewal"},
    {"plan", "plan_name", "subscription", "tier", "package"},
)


def nearest(name: str, among: Iterable[str]) -> list[str]:
    """Of these names the three that most likely mean the same, the likeliest first."""
    wanted = _bare(name)
    alike = {one for group in _SAME if name in group for one in map(_bare, group)}
    ranked: Counter[str] = Counter()
    for one in among:
        bare = _bare(one)
        score = 1.0 if bare == wanted else 0.9 if bare in alike else difflib.SequenceMatcher(None, wanted, bare).ratio()
        if score >= _ALIKE:
            ranked[one] = int(score * 1_000)
    return [one for one, _ in ranked.most_common(3)]


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.lower())


# ── By other names ───────────────────────────────────────────────────────────────────────────────────────────────────
def called(book: Playbook, others: Mapping[Name, str]) -> Playbook:
    """The playbook with these names in place of its own: of events and values, or of what it makes itself."""
    if not others:
        return book
    found = copy.deepcopy(book)
    for place in list(_all(found)):
        given = place.holder[place.key]
        if isinstance(given, list):
            place.holder[place.key] = [
                others.get((place.of, one), one) if isinstance(one, str) else one for one in given
            ]
        elif isinstance(given, str):
            place.holder[place.key] = others.get((place.of, given), given)
    for part in files.PARTS:
        for row in getattr(found, part):
            row["slug"] = others.get((part.removesuffix("s"), row["slug"]), row["slug"])
            _set(row.get("document"), others)
    events, values = ({name: to for (of, name), to in others.items() if of == kind} for kind in ("event", "attribute"))
    for row in found.journeys:
        if "tests" in row:
            row["tests"] = [keeping.by_other_names(test, events, values) for test in row["tests"]]
    return found


def _set(value: Any, others: Mapping[Name, str]) -> None:
    """Steps that write values write them under the other name, too."""
    if isinstance(value, list):
        for one in value:
            _set(one, others)
    if isinstance(value, dict):
        if value.get("kind") == "update" and isinstance(value.get("set"), dict):
            value["set"] = {others.get(("attribute", name), name): one for name, one in value["set"].items()}
        for one in value.values():
            _set(one, others)
