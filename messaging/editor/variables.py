"""What can be filled in for each person: to choose from by its name in words, and read back in the same words."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from foundation import wording
from profiles.models import AttributeType, EventType, Profile

_MOST = 300
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_COLUMNS = {
    "first_name": "First name",
    "last_name": "Last name",
    "email": "Email address",
    "phone": "Phone number",
    "locale": "Language and country",
    "timezone": "Time zone",
    "created_at": "Day of signing up",
    "external_id": "Your own id of them",
}
_ACCOUNT = {"name": "Name of the company", "external_id": "Your own id of it"}
_PRINTED = re.compile(r"\{\{-?\s*(?P<path>[A-Za-z_][\w.\-\[\]'\" $]*?)\s*(?P<rest>\|.*?)?-?\}\}", re.DOTALL)
_DEFAULT = re.compile(r"\|\s*default\s*:\s*(?:\"(?P<a>[^\"]*)\"|'(?P<b>[^']*)'|(?P<c>[^|]*))")
_TEST = re.compile(
    r"\{%-?\s*(?:if|unless|elsif|case)\s+(?P<path>[A-Za-z_][\w.]*(?:\[\s*(?:\"[^\"]*\"|'[^']*')\s*\][\w.]*)*)"
)
_STEP = re.compile(r"\.?([A-Za-z_][\w\-]*)|\[\s*(?:\"([^\"]*)\"|'([^']*)')\s*\]")


@dataclass(frozen=True)
class Variable:
    """A value, and how it is written in Liquid. `note` says how often it is known, or which events have it."""

    path: str
    name: str
    note: str = ""
    is_date: bool = False


@dataclass(frozen=True)
class Used:
    """A value as a text uses it: in words, what stands in its place where it is not known, and whether we know it."""

    path: str
    name: str
    default: str | None
    is_known: bool

    @property
    def said(self) -> str:
        if self.default is None:
            return self.name
        return f"{self.name}, else “{self.default}”" if self.default else f"{self.name}, else nothing"


class Catalogue:
    """All values that a template may name, under headings; looked up once a page."""

    @cached_property
    def groups(self) -> list[tuple[str, list[Variable]]]:
        found = [
            ("The person", [*self._columns(), *self._attributes(AttributeType.Of.PROFILE)]),
            ("Their company", [*self._of_account(), *self._attributes(AttributeType.Of.ACCOUNT)]),
            ("What they did (of the event that started it)", self._properties()),
        ]
        return [(heading, variables) for heading, variables in found if variables]

    @cached_property
    def by_path(self) -> dict[str, Variable]:
        return {variable.path: variable for _, variables in self.groups for variable in variables}

    def _columns(self) -> list[Variable]:
        return [Variable(f"profile.{n}", name, is_date=n == "created_at") for n, name in _COLUMNS.items()]

    def _of_account(self) -> list[Variable]:
        return [Variable(f"account.{n}", name) for n, name in _ACCOUNT.items()]

    def _attributes(self, of: str) -> list[Variable]:
        own = {*Profile.COLUMNS, "external_id", "attributes"} if of == "profile" else {*_ACCOUNT, "attributes"}
        rows = AttributeType.objects.filter(of=of).exclude(status=EventType.Status.BLOCKED)
        found = []
        for row in rows.order_by("-volume", "name")[:_MOST]:
            path = _path(of if row.name not in own else f"{of}.attributes", row.name)
            if path:
                found.append(Variable(path, wording.spoken(row.name), _often(row.volume), "datetime" in row.types))
        return found

    def _properties(self) -> list[Variable]:
        rows = EventType.objects.filter(renamed_to=None).exclude(status=EventType.Status.BLOCKED)
        found: dict[str, list[str]] = {}
        for row in rows.exclude(name__startswith="$").order_by("-volume_30_days", "-volume", "name")[:_MOST]:
            for name in list(row.properties)[:100]:
                found.setdefault(name, []).append(wording.spoken(row.name))
        variables = []
        for name, events in list(found.items())[:_MOST]:
            if path := _path("event", name):
                of = ", ".join(events[:3]) + (" …" if len(events) > 3 else "")
                variables.append(Variable(path, wording.spoken(name), of))
        return variables

    # ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def used_in(self, text: str) -> list[Used]:
        """The values that a text prints, each once, in order."""
        found: dict[str, Used] = {}
        for print_ in _PRINTED.finditer(text):
            path = spelled(print_["path"])
            if path is None:
                continue
            default = _DEFAULT.search(print_["rest"] or "")
            words = next((one for one in default.group("a", "b", "c") if one is not None), "") if default else None
            found.setdefault(path, Used(path, self.name(path), words.strip() if words else words, self.knows(path)))
        return list(found.values())

    def name(self, path: str) -> str:
        known = self.by_path.get(path)
        return known.name if known else wording.spoken(path.rpartition(".")[2].strip("[]\"'"))

    def knows(self, path: str) -> bool:
        """Whether such a value was ever seen; what comes with a message (`data`) or from us always counts."""
        root = path.partition(".")[0].partition("[")[0]
        if root not in ("profile", "account", "event"):
            return True
        plain = path.replace(".attributes", "", 1)
        return path in self.by_path or plain in self.by_path or path == root or _deeper(path) in self.by_path


_OF = {"account": " of the company", "event": " of what they did", "data": " of the data"}
_ONLY_DEFAULT = re.compile(r"\|\s*default\s*:\s*(?:\"[^\"|]*\"|'[^'|]*')\s*\Z")


def in_words(text: str) -> str:
    """The text with its values by name, where that says all: `{{ profile.first_name | default: 'you' }}` reads
    `[First name, else “you”]`. What is worked on further stays as it is written."""

    def worded(found: re.Match[str]) -> str:
        rest, path = (found["rest"] or "").strip(), spelled(found["path"]) or ""
        root, _, name = path.partition(".")
        if not _PLAIN.match(name) or root not in ("profile", *_OF) or (rest and not _ONLY_DEFAULT.match(rest)):
            return found[0]
        default = _DEFAULT.search(rest)
        words = (default["a"] or default["b"] or "") if default else None
        spoken = _COLUMNS.get(name) if root == "profile" else None
        used = Used(path, (spoken or wording.spoken(name)) + _OF.get(root, ""), words, True)
        return f"[{used.said}]"

    return _PRINTED.sub(worded, text)


def tested_in(text: str) -> set[str]:
    """The values whose being there a text asks for, and which therefore need no default."""
    return {path for found in _TEST.finditer(text) if (path := spelled(found["path"]))}


def spelled(path: str) -> str | None:
    """A path written in our one way: `profile["first_name"]` as `profile.first_name`; None if it is none."""
    root = re.match(r"[A-Za-z_]\w*", path)
    if root is None:
        return None
    steps = [next(part for part in found if part is not None) for found in _steps(path[root.end() :])]
    return "".join([root[0], *(f".{one}" if _PLAIN.match(one) else f"[{_quoted(one)}]" for one in steps)])


def _steps(rest: str) -> Iterator[tuple[str | None, ...]]:
    return (found.groups() for found in _STEP.finditer(rest))


def _deeper(path: str) -> str:
    """`event.plan.name` is known where `event.plan` is."""
    return ".".join(path.split(".")[:2])


def _path(root: str, name: str) -> str:
    if _PLAIN.match(name):
        return f"{root}.{name}"
    return f"{root}[{_quoted(name)}]" if not re.search(r"[{}%\"\n\r]", name) else ""


def _quoted(name: str) -> str:
    return f'"{name}"'


def _often(volume: int) -> str:
    return f"known of {wording.plural(volume, 'person', 'people')}" if volume else ""
