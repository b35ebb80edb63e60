"""What the page on durability names as proof is there, and no row of the matrix is left out."""

import re

from config.embedded import home

PAGE = (home.BASE / "docs" / "durability.md").read_text()


def test_every_proof_is_a_test_that_there_is() -> None:
    named = set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE))
    assert len(named) > 30
    missing = [
        f"{file}::{name}" for file, name in sorted(named) if f"def {name}(" not in (home.BASE / file).read_text()
    ]
    assert missing == []


def test_every_row_is_there() -> None:
    rows = [
        row
        for line in PAGE.splitlines()
        if line.startswith("| FM-")
        for row in re.findall(r"FM-(\d\d)", line.split("|")[1])
    ]
    assert rows == [f"{n:02}" for n in range(1, 45)]


def test_every_place_is_named() -> None:
    code = [path.read_text() for app in ("foundation", "journeys") for path in (home.BASE / app).glob("*.py")]
    places = {place for text in code for place in re.findall(r'\breach\("([\w.]+)"\)', text)}
    assert places == set(re.findall(r"`((?:react|advance|sweep|wake)\.\w+)`", PAGE))
