"""What several templates say alike, written once."""

from typing import Any

from foundation.errors import Invalid, Problem
from messaging.building import BLOCKS, Block, Writer, mjml_of, read, section, text_of, web_of


@BLOCKS.register
class Snippet(Block):
    key = "snippet"
    label = "Snippet"
    icon = "extension"
    place = 78
    shapes = {"slug": "snippet"}
    fields = {"slug": "which snippet"}

    def check(self, name: str, value: Any, path: str) -> list[Problem]:
        if not isinstance(value, str) or value not in self.snippets:
            return [Problem(path, f"there is no snippet {value!r}; choose one that is in use, or write it first")]
        try:
            self.inside()
        except Invalid as invalid:
            said = {f"{problem.path.partition('.')[0]} {problem.reason}" for problem in invalid.problems}
            return [Problem(path, f"names a snippet that cannot stand here: {'; '.join(sorted(said))}")]
        return []

    def inside(self) -> list[Block]:
        return read(self.snippets[self.values["slug"]], nested=self.nested, snippets=self.snippets)

    def mjml(self, write: Writer) -> str:
        parts = [mjml_of(block, write) for block in self.inside()]
        is_wide = any("<mj-section" in part for part in parts)
        return "".join(section(part) if is_wide else part for part in parts)

    def web(self, write: Writer) -> str:
        return "".join(web_of(block, write) for block in self.inside())

    def text(self) -> str:
        return "".join(text_of(block) for block in self.inside()).rstrip("\n")
