"""What is wrong with a playbook in itself, before anything of it is made: fields, values, lengths, documents."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Field, Model

from consent.models import Topic
from foundation.errors import Invalid, Problem
from journeys import documents
from journeys.models import Journey
from messaging import building
from messaging.models import Template
from messaging.snippets import inside
from messaging.snippets.models import Snippet
from playbooks import files
from playbooks.files import Playbook
from segments import language
from segments.models import Segment
from staff.models import Team

_MOST = 500  # definitions of one part
_TEXT, _YES, _NUMBER, _LIST, _OBJECT, _ANY = (str,), (bool,), (int,), (list,), (dict,), (object,)
_SAID = {str: "a text", bool: "true or false", int: "a whole number", list: "a list", dict: "an object"}
_MODELS: dict[str, type[Model]] = {
    "teams": Team,
    "topics": Topic,
    "segments": Segment,
    "snippets": Snippet,
    "templates": Template,
    "journeys": Journey,
}
# Of each part what must be said, and what may be, as the verbs that save it take it.
_MUST: dict[str, dict[str, tuple[type, ...]]] = {
    "teams": {"slug": _TEXT, "name": _TEXT},
    "topics": {"slug": _TEXT, "name": _TEXT, "description": _TEXT, "purpose": _TEXT, "basis": _TEXT, "channels": _LIST},
    "segments": {"slug": _TEXT},
    "snippets": {"slug": _TEXT, "name": _TEXT, "blocks": _LIST},
    "templates": {"slug": _TEXT, "name": _TEXT, "channel": _TEXT, "topic": _TEXT, "subject": _TEXT, "blocks": _LIST},
    "journeys": {"slug": _TEXT, "name": _TEXT, "document": _OBJECT},
}
_MAY: dict[str, dict[str, tuple[type, ...]]] = {
    "teams": {},
    "topics": {
        **dict.fromkeys(("default", "transactional", "double_opt_in"), _YES),
        **dict.fromkeys(("valid_months", "min_age"), _NUMBER),
    },
    "segments": {
        **dict.fromkeys(
            ("name", "status", "kind", "description", "family", "hypothesis", "needs", "success_metric"), _TEXT
        ),
        "definition": _ANY,
        "position": _NUMBER,
        "preferred_channels": _LIST,
        "marketing": _YES,
    },
    "snippets": {"translations": _OBJECT},
    "templates": {"options": _OBJECT, "translations": _OBJECT},
    "journeys": {"description": _TEXT, "tests": _LIST},
}
# What no column holds as it stands: the verbs look at it themselves.
_INNER = {"definition", "blocks", "document", "options", "translations", "tests", "topic", "channels", "subject"}


def problems(book: Playbook) -> list[Problem]:
    """All of it, each with its place as in `templates.welcome.blocks[2].href`; empty, if it can be looked at."""
    found = [*_frame(book)]
    for part in files.PARTS:
        rows = getattr(book, part)
        if len(rows) > _MOST:
            found.append(Problem(part, f"has more than {_MOST} definitions"))
            continue
        taken: set[str] = set()
        for row in rows:
            path = f"{part}.{str(row['slug'])[:100]}"
            if str(row["slug"]) in taken:
                found.append(Problem(path, "stands twice"))
            taken.add(str(row["slug"]))
            found += [Problem(f"{path}.{one.path}".rstrip("."), one.reason) for one in _row(part, row)]
    return found


def _frame(book: Playbook) -> Iterator[Problem]:
    for name, longest in (("name", 200), ("what", 5_000)):
        value = getattr(book, name)
        if not isinstance(value, str) or len(value) > longest:
            yield Problem(name, f"must be a text of at most {longest} characters")
    if not any(getattr(book, part) for part in files.PARTS):
        yield Problem("", f"The file makes nothing: it must hold one of {', '.join(files.PARTS)}.")


def _row(part: str, row: Mapping[str, Any]) -> list[Problem]:
    known = {**_MUST[part], **_MAY[part]}
    found = [Problem(name, "is missing") for name in _MUST[part] if row.get(name) is None]
    found += [
        Problem(str(name)[:60], "says nothing here; known are " + ", ".join(known)) for name in row if name not in known
    ]
    found += [
        one for name, kinds in known.items() if row.get(name) is not None for one in _kind(name, row[name], kinds)
    ]
    if found:
        return found
    model = _MODELS[part]
    found = [one for name in known if row.get(name) is not None for one in _fits(model, name, row[name])]
    return found or list(_inside(part, row))


def _kind(name: str, value: Any, kinds: tuple[type, ...]) -> Iterator[Problem]:
    fits = isinstance(value, kinds) and not (kinds == _NUMBER and isinstance(value, bool))
    if not fits:
        yield Problem(name, f"must be {_SAID[kinds[0]]}")
    elif name in ("channels", "preferred_channels") and not all(isinstance(one, str) for one in value):
        yield Problem(name, "must be a list of texts")


def _fits(model: type[Model], name: str, value: Any) -> Iterator[Problem]:
    """What the column would refuse: too long, too large."""
    if name in _INNER or value in ("", []):
        return
    column: Field[Any, Any] = model._meta.get_field(name)  # type: ignore[assignment]
    try:
        column.clean(value, None)
    except ValidationError as error:
        for message in error.messages:
            yield Problem(name, message)


def _inside(part: str, row: Mapping[str, Any]) -> Iterator[Problem]:
    try:
        if part == "segments" and row.get("definition") is not None:
            language.parse(row["definition"])
        if part in ("snippets", "templates"):
            # What a snippet says is looked at with the snippet itself.
            building.read(row["blocks"], snippets={one: [{"kind": "divider"}] for one in inside.named(row["blocks"])})
    except Invalid as invalid:
        stem = "definition" if part == "segments" else ""
        yield from (Problem(f"{stem}.{one.path}".strip("."), one.reason) for one in invalid.problems)
    if part == "journeys":
        flaws = documents.flaws(row["document"])
        yield from (Problem(f"document.{one.path}".rstrip("."), one.reason) for one in flaws)
