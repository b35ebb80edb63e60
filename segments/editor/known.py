"""What is known to choose from: the data catalogue with its counts and examples, topics, channels and segments."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from consent.models import Topic
from foundation import wording
from profiles.models import AttributeType, EventType
from segments.editor.controls import Option
from segments.models import Segment

_MOST = 400
_ANYTHING = Option("*", "anything they do")
_COLUMNS = {
    "attribute": {
        "email": ("their email address", "string"),
        "first_name": ("their first name", "string"),
        "last_name": ("their last name", "string"),
        "phone": ("their phone number", "string"),
        "locale": ("their language and country", "string"),
        "timezone": ("their time zone", "string"),
        "external_id": ("your own id of them", "string"),
        "created_at": ("when they signed up", "datetime"),
        "first_seen_at": ("when they were first seen", "datetime"),
        "last_seen_at": ("when they were last seen", "datetime"),
    },
    "account": {"name": ("the company’s name", "string"), "external_id": ("your own id of it", "string")},
}
_OURS = {  # what is sent by us, and the property of our events that names it
    "journey": (("$journey_entered", "$message_sent"), "journey"),
    "template": (("$message_sent", "$message_opened"), "template"),
}
Subject = tuple[str, ...]


class Known:
    """What one page may suggest; each list is looked up once, and drawn once however many fields use it."""

    in_journey = False  # whether windows may run since an entry or a step

    def __init__(self) -> None:
        self._lists: dict[tuple[str, Subject], str] = {}

    # ── Lists ────────────────────────────────────────────────────────────────────────────────────────────────────────
    def suggestions(self, of: str, subject: Iterable[str] = ()) -> str:
        """The id of the list of what to suggest; "" where nothing is known."""
        key = (of, tuple(subject))
        if key not in self._lists:
            self._lists[key] = f"known-{len(self._lists)}" if self.options(*key) else ""
        return self._lists[key]

    def lists(self) -> Iterator[tuple[str, list[Option]]]:
        return ((id, self.options(*key)) for key, id in self._lists.items() if id)

    def options(self, of: str, subject: Subject = ()) -> list[Option]:
        match of:
            case "event":
                return [_ANYTHING, *(Option(row.name, self._often(row)) for row in self._shown)]
            case "attribute" | "account":
                return self._attributes(of)
            case "property" | "measured":
                own = [Option("$name", "the thing itself")] if of == "measured" else []
                return [*own, *(Option(name, "") for name in self._properties(subject))]
            case "segment":
                return self._segments
            case "topic":
                return [Option(row.slug, row.name) for row in self._topics]
            case "channel":
                channels = dict.fromkeys(str(one) for row in self._topics for one in row.channels)
                return [Option(one, wording.spoken(one)) for one in channels]
            case "journey" | "template":
                names, property = _OURS[of]
                return [Option(one, "") for one in self._samples(names, property)]
        return self._values(of, subject)

    def _values(self, of: str, subject: Subject) -> list[Option]:
        """Examples of what a name holds: `of` is `of attribute`, `of account` or `of property`."""
        if of in ("of attribute", "of account") and subject:
            row = self._attribute_types.get((of.removeprefix("of "), subject[0]))
            return [Option(one, "") for one in _said(row.samples if row else [])]
        if of == "of property" and subject:
            return [Option(one, "") for one in self._samples(subject[1:], subject[0])]
        return []

    # ── Types and hints ──────────────────────────────────────────────────────────────────────────────────────────────
    def types(self, of: str, subject: Subject) -> set[str]:
        """The kinds of value that were seen under a name."""
        if not subject:
            return set()
        if of == "of property":
            return {str(one) for known in self._about(subject[1:], subject[0]) for one in known.get("types", [])}
        which = of.removeprefix("of ")
        if subject[0] in _COLUMNS.get(which, {}):
            return {_COLUMNS[which][subject[0]][1]}
        row = self._attribute_types.get((which, subject[0]))
        return set(row.types) if row else set()

    def hint(self, of: str, name: str) -> str:
        """What is to be said of a name that was chosen: how often it comes, or that nobody has sent it."""
        if not name:
            return ""
        if of == "event":
            if name == "*":
                return "“*” means anything they do."
            row = self._events.get(name)
            if row is None:
                return f"Nobody has sent “{wording.shortened(name, 60)}” yet."
            return f"{row.name} · {self._often(row)}"
        if of in ("attribute", "account") and name not in _COLUMNS[of]:
            known = self._attribute_types.get((of, name))
            whose = "people" if of == "attribute" else "companies"
            return (
                f"{name} · known of {wording.amount(known.volume)} {whose}"
                if known
                else f"Of nobody is “{wording.shortened(name, 60)}” known yet."
            )
        return ""

    # ── The catalogue ────────────────────────────────────────────────────────────────────────────────────────────────
    @cached_property
    def _events(self) -> dict[str, EventType]:
        rows = EventType.objects.filter(renamed_to=None).exclude(status=EventType.Status.BLOCKED)
        return {row.name: row for row in rows.order_by("-volume_30_days", "name")[:5_000]}

    @property
    def _shown(self) -> list[EventType]:
        return [row for row in self._events.values() if not row.name.startswith("$")][:_MOST]

    @cached_property
    def _attribute_types(self) -> dict[tuple[str, str], AttributeType]:
        rows = AttributeType.objects.exclude(status=EventType.Status.BLOCKED).order_by("-volume", "name")
        whose = {AttributeType.Of.PROFILE: "attribute", AttributeType.Of.ACCOUNT: "account"}
        return {(whose[AttributeType.Of(row.of)], row.name): row for row in rows[:5_000]}

    @cached_property
    def _segments(self) -> list[Option]:
        rows = Segment.objects.exclude(status=Segment.Status.ARCHIVED).order_by("name")
        return [
            Option(row.slug, row.name if row.status == Segment.Status.LIVE else f"{row.name} (draft)") for row in rows
        ]

    @cached_property
    def _topics(self) -> list[Topic]:
        return list(Topic.objects.filter(archived=False).order_by("name"))

    def _attributes(self, of: str) -> list[Option]:
        rows = [row for (which, _), row in self._attribute_types.items() if which == of][:_MOST]
        whose = "people" if of == "attribute" else "companies"
        return [
            *(Option(row.name, f"{wording.amount(row.volume)} {whose}") for row in rows),
            *(Option(name, said) for name, (said, _) in _COLUMNS[of].items()),
        ]

    def _about(self, names: Iterable[str], property: str) -> Iterator[dict[str, Any]]:
        for row in self._rows(names):
            known = row.properties.get(property)
            if isinstance(known, dict):
                yield known

    def _rows(self, names: Iterable[str]) -> list[EventType]:
        names = [name for name in names if name]
        return self._shown[:50] if "*" in names else [self._events[name] for name in names if name in self._events]

    def _properties(self, names: Iterable[str]) -> list[str]:
        return list(dict.fromkeys(name for row in self._rows(names) for name in row.properties))[:_MOST]

    def _samples(self, names: Iterable[str], property: str) -> list[str]:
        return list(dict.fromkeys(one for k in self._about(names, property) for one in _said(k.get("samples", []))))

    def _often(self, row: EventType) -> str:
        return f"{wording.amount(row.volume_30_days)} in 30 days"


def _said(samples: Iterable[Any]) -> list[str]:
    """Examples that can be a value; those in brackets only say what stands there."""
    return [str(one) for one in samples if not isinstance(one, bool) and not str(one).startswith("(")]
