"""docs/messages.md says what is: its tables are compared with the families and the enums."""

import re
from pathlib import Path

from messaging import judging, liquid
from messaging.building import BLOCKS
from messaging.models import MessageState

TEXT = Path(__file__).resolve().parents[2].joinpath("docs", "messages.md").read_text()


def rows(header: str) -> list[list[str]]:
    """The rows of the table under this header."""
    table = TEXT.split(f"| {header} |")[1].split("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_the_blocks_and_their_fields_are_those_that_there_are() -> None:
    told = {kind.strip("`"): fields for kind, fields in rows("kind | fields")}
    assert sorted(told) == BLOCKS.keys()
    for kind, fields in told.items():
        assert set(re.findall(r"`(\w+)`", fields)) == set(BLOCKS[kind].fields)
        assert set(re.findall(r"\[`(\w+)`\]", fields)) == set(BLOCKS[kind].optional)


def test_the_guardrails_stand_in_their_order() -> None:
    told = [cells[0].strip("`") for cells in rows("guardrail | holds back | transactional")]
    assert told == [guardrail.key for guardrail in judging.in_order()]


def test_the_states_are_those_that_there_are() -> None:
    told = [name for cells in rows("state | meaning") for name in re.findall(r"`(\w+)`", cells[0])]
    assert sorted(told) == sorted(MessageState.values)


def test_the_names_that_liquid_knows_are_all_there() -> None:
    told = [name for cells in rows("name | what it is") for name in re.findall(r"`(\w+)`", cells[0])]
    assert sorted(told) == sorted(liquid.ROOTS)
