import ast
import pkgutil
from importlib import import_module
from typing import Any

import pytest

from config.celery import app
from foundation import loops
from foundation.registry import Family
from tests.house.looking import APPS, modules, name_of, tree


def _families() -> list[Family[Any]]:
    """All families, found where they are made."""
    found: list[Family[Any]] = []
    for path in modules(*APPS):
        if path.match("foundation/registry.py") or "Family" not in path.read_text():
            continue
        if any(
            isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Family" for node in ast.walk(tree(path))
        ):
            found += [value for value in vars(import_module(name_of(path))).values() if isinstance(value, Family)]
    return list({id(family): family for family in found}.values())


FAMILIES = _families()


def test_there_are_families() -> None:
    assert len({family.name for family in FAMILIES}) == len(FAMILIES) >= 3


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_each_file_of_a_family_holds_variants_that_are_found(family: Family[Any]) -> None:
    package = import_module(family._package)
    files = {f"{family._package}.{module.name}" for module in pkgutil.iter_modules(package.__path__)}
    homes = {variant.__module__ for variant in family}
    without = {name for name in files - homes if not name.rpartition(".")[2].startswith("_")}
    assert without == set(), "these files hold no variant: a helper's name begins with _"
    assert homes <= files, "a variant lives in its family's package"


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_each_variant_is_named_as_its_file(family: Family[Any]) -> None:
    alone = [variant for variant in family if sum(other.__module__ == variant.__module__ for other in family) == 1]
    assert [v.key for v in alone if v.key != v.__module__.rpartition(".")[2]] == []


def test_every_task_of_ours_is_a_loop() -> None:
    app.loader.import_default_modules()
    ours = {name for name in app.tasks if not name.startswith(("celery.", "test."))}
    assert ours == {name for name in loops.names() if not name.startswith("test.")}


def test_tasks_live_in_the_app_that_they_are_named_after() -> None:
    app.loader.import_default_modules()
    for name, tick in loops._ticks.items():
        assert tick.__module__ == f"{name.split('.')[0]}.tasks" or name.startswith("test.")
