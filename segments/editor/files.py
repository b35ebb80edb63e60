"""A segment as a file, in the words that playbooks are written in: taken along, and read into the builder."""

from datetime import date
from typing import Any

import yaml
from django import forms

from foundation.errors import Invalid
from segments import language
from segments.models import Segment

LARGEST = 200_000  # bytes
_WORDS = ("description", "hypothesis", "needs", "success_metric", "family")
_TAKEN = {"slug", "name", "definition", "status", "kind", "position", "preferred_channels", "marketing", *_WORDS}


class FileForm(forms.Form):
    file = forms.FileField(label="File", error_messages={"required": "Choose a file."})


class _Loader(yaml.SafeLoader):
    """Plain values alone: an alias could make a small file a huge one."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it refers to parts of itself, which is not taken")
        return super().compose_node(parent, index)


def written(segment: Segment) -> str:
    """The file that says the segment: a playbook of its own, without who owns it and who is in it."""
    said: dict[str, Any] = {"slug": segment.slug, "name": segment.name}
    said |= {name: getattr(segment, name) for name in _WORDS if getattr(segment, name)}
    if segment.family:
        said["position"] = segment.position
    if segment.preferred_channels:
        said["preferred_channels"] = segment.preferred_channels
    if not segment.marketing:
        said["marketing"] = False
    if segment.kind == Segment.Kind.STATIC:
        said["kind"] = segment.kind
    else:
        said["definition"] = segment.definition
    book = {"name": segment.name, "what": segment.description or segment.name, "segments": [said]}
    return str(yaml.safe_dump(book, sort_keys=False, allow_unicode=True, width=100))


def read(raw: bytes) -> dict[str, Any]:
    """The one segment in a file, with a definition that can be read; says what is wrong where it is none."""
    if len(raw) > LARGEST:
        raise Invalid.at("", f"A segment’s file is not larger than {LARGEST // 1000} kB.")
    try:
        found = yaml.load(raw.decode("utf-8"), _Loader)  # noqa: S506 (a SafeLoader, and stricter)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise Invalid.at("", f"The file cannot be read as YAML: {str(error).splitlines()[0]}.") from None
    rows = found.get("segments") if isinstance(found, dict) and "segments" in found else [found]
    if not isinstance(rows, list) or len(rows) != 1 or not isinstance(rows[0], dict):
        raise Invalid.at("", "The file must hold one segment. A playbook with several is installed as a whole.")
    row: dict[str, Any] = _plain(rows[0])
    if unknown := [str(key) for key in row if key not in _TAKEN]:
        raise Invalid.at("", f"“{unknown[0][:60]}” says nothing of a segment.")
    if row.get("kind", "dynamic") != "dynamic":
        raise Invalid.at("", "It is filled by hand; only segments that follow a definition are read from a file.")
    for name in ("name", *_WORDS):
        if not isinstance(row.get(name, ""), str):
            raise Invalid.at("", f"“{name}” must be a text.")
    if not isinstance(row.get("marketing", True), bool):
        raise Invalid.at("", "“marketing” must be true or false.")
    try:
        language.parse(row.get("definition"))
    except Invalid as invalid:
        said = "; ".join(f"{problem.path or 'the whole'}: {problem.reason}" for problem in invalid.problems[:3])
        raise Invalid.at("", f"Its definition cannot be taken. {said}") from None
    return row


def _plain(value: Any) -> Any:
    """Days as they are written in JSON: YAML reads one that stands without quotes as a day."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, date) else value


def words(row: dict[str, Any]) -> dict[str, Any]:
    """What the builder begins with, beside the definition."""
    found = {name: row[name] for name in ("name", *_WORDS, "position", "preferred_channels") if name in row}
    return found | ({} if row.get("marketing", True) else {"marketing": "no"})
