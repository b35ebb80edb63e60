"""Blocks side by side; below each other on a phone."""

from typing import Any

from foundation.errors import Invalid, Problem
from messaging.building import BLOCKS, Block, Writer, mjml_of, read, text_of, web_of


@BLOCKS.register
class Columns(Block):
    key = "columns"
    label = "Columns"
    icon = "view_column_2"
    is_said = False
    place = 80
    shapes = {"columns": "columns"}
    fields = {"columns": "two or three lists of blocks"}

    def check(self, name: str, value: Any, path: str) -> list[Problem]:
        if not isinstance(value, list) or not 2 <= len(value) <= 3:
            return [Problem(path, "must be two or three lists of blocks")]
        problems: list[Problem] = []
        for place, blocks in enumerate(value):
            try:
                read(blocks, f"{path}[{place}]", nested=True, snippets=self.snippets)
            except Invalid as invalid:
                problems += invalid.problems
        return problems

    def _columns(self) -> list[list[Block]]:
        return [read(blocks, nested=True, snippets=self.snippets) for blocks in self.values["columns"]]

    def mjml(self, write: Writer) -> str:
        columns = ("".join(mjml_of(block, write) for block in blocks) for blocks in self._columns())
        return (
            "<mj-section padding='0'>" + "".join(f"<mj-column>{each}</mj-column>" for each in columns) + "</mj-section>"
        )

    def web(self, write: Writer) -> str:
        return "".join(web_of(block, write) for blocks in self._columns() for block in blocks)

    def text(self) -> str:
        return "".join(text_of(block) for blocks in self._columns() for block in blocks).rstrip("\n")
