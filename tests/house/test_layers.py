import ast
import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.db.models import Field

from tests.house.looking import APPS, BASE, modules, tree, where


def test_imports_go_down() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=BASE, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_apps_are_installed_from_the_lowest_to_the_highest() -> None:
    assert tuple(name for name in settings.INSTALLED_APPS if name in APPS) == APPS


def test_relations_point_down() -> None:
    height = {name: place for place, name in enumerate(APPS)}
    upwards = []
    for model in apps.get_models(include_auto_created=True):
        own = height.get(model._meta.app_config.name)
        for field in model._meta.get_fields():
            if own is None or not isinstance(field, Field) or not field.is_relation or field.related_model is None:
                continue
            target = height.get(field.related_model._meta.app_config.name, -1)
            if target > own:
                upwards.append(f"{model.__name__}.{field.name} -> {field.related_model.__name__}")
    assert upwards == []


@pytest.mark.parametrize("app", APPS[:-1])
def test_nobody_imports_config(app: str) -> None:
    found = []
    for path in modules(app):
        for node in ast.walk(tree(path)):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                # import_module("config.…") escapes every linter.
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                names = [str(node.args[0].value)] if called in ("import_module", "import_string", "__import__") else []
            if any(name.split(".")[0] == "config" for name in names):
                found.append(where(path, node))
    assert found == []


@pytest.mark.parametrize("app", APPS)
def test_each_package_opens_with_a_sentence(app: str) -> None:
    silent = []
    for path in modules(app):
        if path.name != "__init__.py" or {"management", "templatetags"} & set(path.parts):
            continue
        said = ast.get_docstring(tree(path)) or ""
        if not said.splitlines()[:1] or said.rstrip()[-1:] not in (".", "?", "!", ":"):
            silent.append(where(path, tree(path)))
    assert silent == []
