"""Time is a parameter: only doors ask what time it is, and they ask `foundation.clock`."""

import ast

import pytest
from django.apps import apps
from django.db.models import DateField, TimeField

from tests.house.looking import APPS, dotted, modules, tree, where

_CLOCKS = (
    "timezone.now",
    "timezone.localtime",
    "timezone.localdate",
    "datetime.now",
    "datetime.utcnow",
    "date.today",
    "datetime.today",
    "time.time",
    "time.time_ns",
)


@pytest.mark.parametrize("app", APPS[:-1])
def test_no_other_clock_is_read(app: str) -> None:
    found = []
    for path in modules(app):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and dotted(node.func).endswith(_CLOCKS):
                # With a moment given, these two only change its zone.
                if dotted(node.func).endswith(("localtime", "localdate")) and (node.args or node.keywords):
                    continue
                found.append(f"{where(path, node)} {dotted(node.func)}")
    assert found == []


def test_no_column_stamps_itself() -> None:
    ours = [model for model in apps.get_models() if model._meta.app_config.name in APPS]
    dates = [field for model in ours for field in model._meta.get_fields() if isinstance(field, DateField | TimeField)]
    assert len(dates) > 20
    assert [str(field) for field in dates if field.auto_now or field.auto_now_add] == []
