"""Our source, to be looked at."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

BASE = Path(__file__).resolve().parents[2]
# From the lowest to the highest.
APPS = (
    "foundation",
    "staff",
    "profiles",
    "consent",
    "segments",
    "messaging",
    "journeys",
    "insights",
    "playbooks",
    "config",
)


def modules(*apps: str) -> Iterator[Path]:
    """The Python files of these apps, migrations left out."""
    for app in apps:
        for path in sorted((BASE / app).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def where(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(BASE)}:{getattr(node, 'lineno', 0)}"


def dotted(node: ast.AST) -> str:
    """`a.b.c` of a chain of names; "" for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (left := dotted(node.value)):
        return f"{left}.{node.attr}"
    return ""


def name_of(path: Path) -> str:
    """The module's dotted name."""
    parts = path.relative_to(BASE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
