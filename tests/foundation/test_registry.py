import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from foundation.registry import Family, Question

VARIANT = """
from beasts import FAMILY

@FAMILY.register
class {name}:
    key = "{key}"
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Family[Any]]]:
    """Writes the package `beasts` with a file a variant; its family."""
    folder = tmp_path / "beasts"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        'from foundation.registry import Family\n\nFAMILY = Family("beasts", "beasts")\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.split(".")[0] == "beasts"]:
        monkeypatch.delitem(sys.modules, name)

    def written(**variants: str) -> Family[Any]:
        for name, key in variants.items():
            (folder / f"{name}.py").write_text(VARIANT.format(name=name.title(), key=key))
        import beasts  # type: ignore[import-not-found]

        family: Family[Any] = beasts.FAMILY
        return family

    yield written
    for name in [name for name in sys.modules if name.split(".")[0] == "beasts"]:
        del sys.modules[name]


def test_a_variant_is_found_by_its_file_alone(write: Callable[..., Family[Any]]) -> None:
    family = write(cat="cat", dog="dog")
    assert family.keys() == ["cat", "dog"]
    assert family["cat"].__name__ == "Cat"
    assert "dog" in family
    assert family.get("cow") is None
    assert {variant.key for variant in family} == {"cat", "dog"}
    with pytest.raises(KeyError):
        family["cow"]


def test_a_key_taken_twice_fails_at_import(write: Callable[..., Family[Any]]) -> None:
    family = write(cat="cat", tomcat="cat")
    with pytest.raises(ValueError, match="two variants of beasts claim the key 'cat'"):
        family.keys()


def _answers(module: str, answer: str) -> Callable[[str], str]:
    def said(asked: str) -> str:
        return f"{answer} {asked}"

    said.__module__ = module
    return said


def test_the_lowest_app_answers_first_whoever_joined_first() -> None:
    question: Question[[str], str] = Question("greet")
    question.join(_answers("journeys.answers", "journeys"))
    question.join(_answers("consent.answers", "consent"))
    question.join(_answers("messaging.answers", "messaging"))
    assert question.ask("ada") == ["consent ada", "messaging ada", "journeys ada"]


def test_only_an_installed_app_can_answer() -> None:
    question: Question[[str], str] = Question("greet")
    question.join(_answers("elsewhere.answers", "hi"))
    with pytest.raises(LookupError, match="belongs to no installed app"):
        question.ask("ada")
