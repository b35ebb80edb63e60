import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.management.commands.up import PARTS
from tests.house.looking import APPS, BASE, dotted, modules, tree

OPERATORS = (BASE / "docs" / "operators.md").read_text()
# Set for what we start and read by it, not by us; or by Django's own.
_NOT_OURS = {"PYTHONPATH", "DJANGO_SETTINGS_MODULE"}


def _read(path: Path) -> set[str]:
    """The environment variables that a module reads."""
    found = set()
    for node in ast.walk(tree(path)):
        literal: Any = None
        if isinstance(node, ast.Call) and node.args:
            called = dotted(node.func)
            if called.startswith("environment.") or called in ("os.environ.get", "os.environ.pop", "os.getenv"):
                literal = node.args[0]
        elif isinstance(node, ast.Subscript) and dotted(node.value) == "os.environ":
            literal = node.slice
        if isinstance(literal, ast.Constant):
            found.add(str(literal.value))
    return found - _NOT_OURS


def _documented() -> set[str]:
    return set(re.findall(r"^\| `([A-Z_]+)` \|", OPERATORS, re.MULTILINE))


def test_every_variable_that_is_read_is_documented_and_every_documented_one_is_read() -> None:
    read = set().union(*(_read(path) for path in modules(*APPS)))
    assert {"DATABASE_URL", "SECRET_KEY", "PORT", "PG_BINDIR"} <= read
    assert read == _documented()


def test_only_config_reads_the_environment() -> None:
    domain = (
        "foundation",
        "staff",
        "profiles",
        "consent",
        "segments",
        "messaging",
        "journeys",
        "insights",
        "playbooks",
    )
    assert {str(path): _read(path) for path in modules(*domain) if _read(path)} == {}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((BASE / "compose.yaml").read_text())
    return found


def _ours(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: service for name, service in compose["services"].items() if service.get("build")}


def test_each_part_is_a_service_of_that_name(compose: dict[str, Any]) -> None:
    assert set(_ours(compose)) == set(PARTS)
    for name, service in _ours(compose).items():
        assert service["command"] == ["up", "--only", name]


def test_services_set_documented_variables_only(compose: dict[str, Any]) -> None:
    for name, service in _ours(compose).items():
        assert set(service["environment"]) <= _documented(), name
        assert {"DATABASE_URL", "CELERY_BROKER_URL", "SECRET_KEY", "LINK_KEYS", "SUPPRESSION_KEY", "BASE_URL"} <= set(
            service["environment"]
        )


def test_only_maintenance_is_told_who_the_owner_is(compose: dict[str, Any]) -> None:
    knows = [name for name, service in _ours(compose).items() if "DATABASE_OWNER_URL" in service["environment"]]
    assert knows == ["maintenance"]


def test_what_compose_must_be_told_is_in_the_example(compose: dict[str, Any]) -> None:
    text = (BASE / "compose.yaml").read_text()
    wanted = set(re.findall(r"\$\{(\w+):\?\}", text))
    example = (BASE / "docs" / "example.env").read_text()
    assert wanted - set(re.findall(r"^(\w+)=", example, re.MULTILINE)) == set()


def test_no_secret_is_in_the_example() -> None:
    example = (BASE / "docs" / "example.env").read_text()
    for name in ("SECRET_KEY", "SUPPRESSION_KEY", "POSTGRES_PASSWORD", "OWNER_PASSWORD", "APP_PASSWORD"):
        assert re.search(rf"^{name}=$", example, re.MULTILINE), name


def test_the_image_starts_as_an_ordinary_user_from_the_lock() -> None:
    lines = (BASE / "Dockerfile").read_text().splitlines()
    assert "USER cairn" in lines
    assert any("--require-hashes -r requirements.lock" in line for line in lines)
    assert lines.index("USER cairn") < next(n for n, line in enumerate(lines) if line.startswith("ENTRYPOINT"))


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_lock_files_hold_hashes_and_no_address(name: str) -> None:
    text = (BASE / name).read_text()
    pinned = re.findall(r"^[\w.\[\]-]+==\S+", text, re.MULTILINE)
    assert len(pinned) > 20
    assert text.count("--hash=sha256:") >= len(pinned)
    assert "://" not in text
    assert "index-url" not in text


def test_commands_that_the_page_names_exist() -> None:
    from django.core.management import get_commands

    named = set(re.findall(r"^\| `(\w+)[^|]*` \|", OPERATORS.split("## Commands")[1], re.MULTILINE))
    assert {"up", "tick", "migrate"} <= named
    assert named <= set(get_commands())


def test_gauges_that_the_page_names_exist() -> None:
    named = set(re.findall(r"^\| `(cairn_\w+)", OPERATORS, re.MULTILINE))
    assert named == set(re.findall(r'"(cairn_\w+)"', (BASE / "config" / "health.py").read_text()))


def test_links_within_the_page_lead_somewhere() -> None:
    titles = re.findall(r"^##+ (.*)$", OPERATORS, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    targets = set(re.findall(r"\]\(#([\w-]+)\)", OPERATORS))
    assert targets
    assert targets <= anchors
