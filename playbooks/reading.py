"""Files from outside, read within bounds: plain values alone, as JSON has them, and nothing said twice."""

import math
from collections.abc import Hashable
from datetime import date
from typing import Any

import yaml

from foundation.errors import Invalid
from foundation.wording import amount
from playbooks import checking, files
from playbooks.files import Playbook

LARGEST = 500_000  # bytes
_DEEPEST = 60
_MOST_VALUES = 100_000
_MOST_DIGITS = 2**53


class _Loader(yaml.SafeLoader):
    """Plain values alone: an alias could make a small file a huge one, and of two equal names one would be lost."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise _Refused("it refers to parts of itself, which is not taken", self._mark())
        self.depth += 1
        if self.depth > _DEEPEST:
            raise _Refused("it lies deeper than any playbook does", self._mark())
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def _mark(self) -> Any:
        return self.peek_event().start_mark  # type: ignore[no-untyped-call]

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        names: set[Hashable] = set()
        for key, _ in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if not isinstance(name, str):
                raise _Refused("a name must be a text", key.start_mark)
            if name in names:
                raise _Refused(f"“{name[:60]}” stands twice in the same place", key.start_mark)
            names.add(name)
        return super().construct_mapping(node, deep)


class _Refused(yaml.MarkedYAMLError):
    def __init__(self, problem: str, mark: Any) -> None:
        super().__init__(problem=problem, problem_mark=mark)


def playbook(raw: bytes, slug: str = "file") -> tuple[Playbook, str]:
    """The playbook in a file that somebody sends, and its text as we would write it.

    `Invalid` names every place that is wrong, for people who look at the file.
    """
    text = files.dumped(loaded(raw))
    book = files.read(slug, text)
    if problems := checking.problems(book):
        raise Invalid(problems)
    return book, text


def loaded(raw: bytes) -> Any:
    """The values of a file."""
    if len(raw) > LARGEST:
        raise Invalid.at(
            "", f"The file is too large: more than {LARGEST // 1000} kB. Take journeys into several files."
        )
    try:
        found = yaml.load(raw.decode("utf-8-sig"), _Loader)  # noqa: S506 (a SafeLoader, and stricter)
    except UnicodeDecodeError:
        raise Invalid.at("", "The file is no text in UTF-8. Save it as YAML in UTF-8, and send it again.") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise Invalid.at(where, f"The file cannot be read as YAML: {error.problem or error.context}.") from None
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError) as error:
        raise Invalid.at("", f"The file cannot be read as YAML: {str(error).splitlines()[0][:200]}.") from None
    if found is None:
        raise Invalid.at("", "The file is empty.")
    return _Plain().value(found, "")


class _Plain:
    """Makes values such as JSON has them; days stand as they are written in JSON."""

    def __init__(self) -> None:
        self.count = 0

    def value(self, given: Any, path: str) -> Any:
        self.count += 1
        if self.count > _MOST_VALUES:
            raise Invalid.at("", f"The file holds more than {amount(_MOST_VALUES)} values.")
        match given:
            case dict():
                return {self._name(key, path): self.value(one, _in(path, key)) for key, one in given.items()}
            case list():
                return [self.value(one, f"{path}[{place}]") for place, one in enumerate(given)]
            case date():
                return given.isoformat()
            case str():
                if "\x00" in given or any("\ud800" <= char <= "\udfff" for char in given):
                    raise Invalid.at(path, "holds a character that cannot be stored")
            case float() if not math.isfinite(given):
                raise Invalid.at(path, "must be a number that has an end")
            case bool() | None | float():
                pass
            case int():
                if abs(given) > _MOST_DIGITS:
                    raise Invalid.at(path, "is a number too large to be kept exactly")
            case _:
                raise Invalid.at(path, "must be a text, a number, true, false, a list or an object")
        return given

    def _name(self, key: Any, path: str) -> str:
        """YAML reads `yes:` and `1:` as no text; as names they are meant as they stand."""
        if isinstance(key, bool):
            raise Invalid.at(path, f'has a name that YAML reads as {key}: put it in quotes, as in "yes"')
        return str(self.value(key, path))


def _in(path: str, key: object) -> str:
    return f"{path}.{key}".lstrip(".")[:300]
