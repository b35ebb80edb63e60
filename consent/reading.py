"""What is held about a person as they read it: in groups, in their language, without ids, of the document alone."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from consent import wordings
from consent.everything import about
from consent.held import Held
from consent.models import ConsentRecord, PrivacyRequest, State, Topic
from consent.wordings import Wordings, channel_name
from foundation.wording import spoken

MOST = 500  # lines of one kind that a page shows; the document has them all
_DEPTH = 5
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)\Z")

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """Something that happened or stands: what, when, what is said of it, the text that goes with it, its details."""

    what: str
    when: str = ""
    note: str = ""
    text: str = ""
    details: Sequence[Held] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """A chapter: facts, then lines, the newest first. `left_out` lines are in the document alone."""

    key: str
    title: str
    facts: Sequence[Held] = ()
    lines: Sequence[Line] = ()
    left_out: int = 0
    note: str = ""

    def __bool__(self) -> bool:
        return bool(self.facts or self.lines)


def groups(document: Document, words: Wordings) -> list[Group]:
    """The chapters that have anything in them; what this page does not know by name comes at the end, as it is."""
    known = [make(document, words) for make in _CHAPTERS]
    return [group for group in [*known, *_others(document)] if group]


def page_of(document: Document) -> dict[str, Any]:
    """What the page shows: the chapters, and what the law wants told, in the language that is active now."""
    words = Wordings({topic.slug: topic for topic in Topic.objects.all()})
    return {
        "groups": groups(document, words),
        "made_at": datetime.fromisoformat(document["made_at"]),
        "about": about(),
        "whose": document.get("profile", {}).get("email") or "",
    }


# ── Who they are ─────────────────────────────────────────────────────────────────────────────────────────────────────
def _who(document: Document, words: Wordings) -> Group:
    found = document.get("profile", {})
    names = document.get("known_as", [])
    facts = [
        Held(_("Email address"), found.get("email")),
        Held(_("Telephone"), found.get("phone")),
        Held(_("Name"), " ".join(filter(None, (found.get("first_name"), found.get("last_name"))))),
        Held(_("Company"), found.get("account")),
        Held(_("Your time zone"), found.get("timezone")),
        Held(_("Language"), found.get("locale")),
        Held(_("Signed up"), _moment(found.get("created_at"))),
        Held(_("First seen"), _moment(found.get("first_seen_at"))),
        Held(_("Last seen"), _moment(found.get("last_seen_at"))),
    ]
    if names:
        count = ngettext("%d, which is in the file", "%d, which are in the file", len(names)) % len(names)
        facts.append(Held(_("Ids that you came under"), count))
    browsers = [one["browser"] for one in document.get("browsers", [])]
    facts.append(Held(_("Browsers that we may notify"), ", ".join(browsers)))
    born = (document.get("consent", {}).get("preferences") or {}).get("born_on")
    facts.append(Held(_("Your date of birth"), wordings.date_of(date.fromisoformat(born)) if born else ""))
    return Group("who", _("Who you are"), [fact for fact in facts if fact.value])


def _attributes(document: Document, words: Wordings) -> Group:
    return Group("known", _("What the product knows"), _held(document.get("profile", {}).get("attributes", {})))


# ── What they did ────────────────────────────────────────────────────────────────────────────────────────────────────
def _events(document: Document, words: Wordings) -> Group:
    events = document.get("events", [])
    newest = list(reversed(events[-MOST:]))
    return Group(
        "did",
        _("What you did"),
        list(_in_short(events)),
        [
            Line(spoken(one["name"]), _moment(one["occurred_at"]), details=_held(one.get("properties") or {}))
            for one in newest
        ],
        left_out=len(events) - len(newest),
    )


def _in_short(events: Sequence[Mapping[str, Any]]) -> Iterator[Held]:
    """Each kind with how often, and from when to when."""
    by_name: dict[str, list[str]] = {}
    for event in events:
        by_name.setdefault(event["name"], []).append(event["occurred_at"])
    for name, times in sorted(by_name.items(), key=lambda one: (-len(one[1]), one[0])):
        often = ngettext("%d time", "%d times", len(times)) % len(times)
        yield Held(spoken(name), f"{often}: {_day(times[0])}" + (f" – {_day(times[-1])}" if len(times) > 1 else ""))


# ── What they said ───────────────────────────────────────────────────────────────────────────────────────────────────
def _consent(document: Document, words: Wordings) -> Group:
    found = document.get("consent", {})
    decisions = list(reversed(found.get("decisions", [])))
    facts = [
        Held(words.name(one["topic"], one["channel"]), f"{_answer(one['state'])}, {_day(one['since'])}")
        for one in found.get("choices", [])
    ]
    return Group(
        "consent",
        _("What you agreed to, and what not"),
        facts,
        [_decision(one, words) for one in decisions[:MOST]],
        left_out=max(0, len(decisions) - MOST),
    )


def _decision(one: Mapping[str, Any], words: Wordings) -> Line:
    record = ConsentRecord(
        topic=one["topic"],
        channel=one["channel"],
        state=one["state"],
        source=one["source"],
        occurred_at=datetime.fromisoformat(one["at"]),
    )
    return Line(
        f"{words.name(one['topic'], one['channel'])}: {_answer(one['state'])}",
        _moment(one["at"]),
        note=wordings.told(record, one["state"]),
        text=one.get("wording", ""),
        details=_held(one.get("evidence") or {}),
    )


def _answer(state: str) -> str:
    return {State.GRANTED: _("Yes"), State.DENIED: _("No")}.get(State(state)) or _("Ran out")


def _wishes(document: Document, words: Wordings) -> Group:
    found = document.get("consent", {})
    wished = found.get("preferences") or {}
    until = wished.get("paused_until")
    facts = [
        Held(_("How often"), {"less": _("Less often"), "more": _("More often")}.get(wished.get("intensity", ""), "")),
        Held(_("Take a break"), _("Paused until %s") % _day(until) if until else ""),
        Held(_("Only between"), " – ".join(wished.get("hours") or [])),
        Held(_("Your time zone"), wished.get("time_zone") or ""),
        Held(_("Your language"), wished.get("language") or ""),
        *(Held(_LIMITS.get(one["kind"], spoken)(one["kind"]), _day(one["since"])) for one in found.get("limits", [])),
        *(
            Held(_("An address that we do not write to"), f"{one['address']}, {_day(one['at'])}")
            for one in found.get("blocked_addresses", [])
        ),
    ]
    lines = [
        Line(
            ", ".join(words.name(each["topic"], each["channel"]) for each in one.get("choices", [])),
            _moment(one["at"]),
            note=_("Confirmed on %s.") % _day(one["confirmed_at"]) if one.get("confirmed_at") else _("Not confirmed."),
            details=_held(one.get("evidence") or {}),
        )
        for one in found.get("asked_for", [])
    ]
    return Group("wishes", _("How you want to hear from us"), [fact for fact in facts if fact.value], lines)


_LIMITS: dict[str, Callable[[str], str]] = {
    "restricted": lambda kind: _("Your data is only stored, since"),
    "objected": lambda kind: _("You object to all marketing, since"),
}


def _requests(document: Document, words: Wordings) -> Group:
    found = document.get("consent", {}).get("privacy_requests", [])
    lines = [_request(one) for one in reversed(found)]
    lines += [
        Line(channel_name(one["channel"]), _moment(one["at"]), text=one["said"])
        for one in reversed(document.get("consent", {}).get("replies", []))
    ]
    return Group("requests", _("What you asked us about your data"), lines=lines)


def _request(one: Mapping[str, Any]) -> Line:
    if one.get("closed_at"):
        note = _("Answered on %s.") % _day(one["closed_at"])
    else:
        note = _("You get an answer by %s.") % wordings.date_of(datetime.fromisoformat(one["due_on"]).date())
    return Line(asked(one["kind"]), _moment(one["raised_at"]), note=note, text=one.get("said", ""))


_ASKED = {
    PrivacyRequest.Kind.ACCESS: gettext_noop("Tell me what you have about me"),
    PrivacyRequest.Kind.PORTABILITY: gettext_noop("Give me my data to take along"),
    PrivacyRequest.Kind.RECTIFICATION: gettext_noop("Correct something"),
    PrivacyRequest.Kind.RESTRICTION: gettext_noop("Keep my data, and do nothing else with it"),
    PrivacyRequest.Kind.OBJECTION: gettext_noop("Object to all marketing"),
    PrivacyRequest.Kind.ERASURE: gettext_noop("Erase my data"),
}


def asked(kind: str) -> str:
    """What a kind of request asks for, in the words of the page."""
    return _(_ASKED[PrivacyRequest.Kind(kind)])


# ── What came of it ──────────────────────────────────────────────────────────────────────────────────────────────────
def _messages(document: Document, words: Wordings) -> Group:
    found = document.get("messages", [])  # the newest come first
    return Group(
        "messages",
        _("What we wrote to you"),
        lines=[_message(one, words) for one in found[:MOST]],
        left_out=max(0, len(found) - MOST),
    )


def _message(one: Mapping[str, Any], words: Wordings) -> Line:
    about = words.name(one["topic"], one["channel"])
    sent = one.get("sent_at")
    return Line(
        one.get("subject") or about,
        _moment(sent or one["queued_at"]),
        note=(about if one.get("subject") else "") if sent else _("%s; not sent.") % about,
        text=one.get("text", ""),
    )


def _segments(document: Document, words: Wordings) -> Group:
    now = [Held(one["segment"], _("since %s") % _day(one["since"])) for one in document.get("segments", [])]
    history = [
        Line(
            _("You came into: %s") % one["segment"] if one["entered"] else _("You left: %s") % one["segment"],
            _moment(one["at"]),
        )
        for one in reversed(document.get("segment_history", []))
    ]
    return Group("groups", _("Groups that you are in"), now, history[:MOST], left_out=max(0, len(history) - MOST))


def _journeys(document: Document, words: Wordings) -> Group:
    lines = [
        Line(
            one["journey"],
            " – ".join(_day(at) for at in (one["entered_at"], one.get("ended_at")) if at),
            note=one.get("reason", ""),
            details=[Held(_moment(step["at"]), step["why"]) for step in one.get("steps", [])[:MOST] if step.get("why")],
        )
        for one in reversed(document.get("journeys", []))
    ]
    lines += [
        Line(one["journey"], _day(one["last"]), note=_("Not begun: %s") % one["reason"])
        for one in reversed(document.get("journeys_not_entered", []))
    ]
    return Group("journeys", _("What we planned to tell you, step by step"), lines=lines[:MOST])


def _tasks(document: Document, words: Wordings) -> Group:
    lines = [Line(one["what"], _moment(one["at"]), text=one.get("note", "")) for one in document.get("tasks", [])]
    return Group("tasks", _("What our staff had to do for you"), lines=lines)


_CHAPTERS = (
    _who, _attributes, _consent, _wishes, _messages, _events, _segments, _journeys, _tasks, _requests,
)  # fmt: skip
_NAMED = {
    "format", "schema", "made_at", "about", "profile", "known_as", "events", "consent", "messages", "segments",
    "segment_history", "journeys", "journeys_not_entered", "tasks",
    "browsers",
}  # fmt: skip


def _others(document: Document) -> Iterator[Group]:
    """Chapters that have no words of their own here: what an app exports is shown, whoever forgot to name it."""
    for name, value in document.items():
        if name not in _NAMED and value:
            lines = [Line("", details=_held(one)) for one in value if isinstance(one, dict)] if _is_list(value) else []
            yield Group(name, spoken(name), [] if lines else _held({name: value}), lines[:MOST])


# ── Values ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _held(values: Mapping[str, Any], before: str = "", depth: int = 0) -> list[Held]:
    """Names and values, what has parts with each part on a line of its own: `Billing: Country`."""
    lines: list[Held] = []
    for name, value in sorted(values.items()):
        title = f"{before}{spoken(name)}"
        if isinstance(value, dict) and value and depth < _DEPTH:
            lines += _held(value, f"{title}: ", depth + 1)
        else:
            lines.append(Held(title, _plain(value)))
    return lines


def _plain(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return "–"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return ", ".join(_plain(one) for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{spoken(name)}: {_plain(one)}" for name, one in value.items())
    return _moment(value) if isinstance(value, str) and _MOMENT.match(value) else str(value)


def _day(at: str) -> str:
    return wordings.day(datetime.fromisoformat(at))


def _moment(at: str | None) -> str:
    return formats.date_format(timezone.localtime(datetime.fromisoformat(at)), "DATETIME_FORMAT") if at else ""
