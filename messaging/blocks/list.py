"""Points, in order or not."""

from typing import Any

from foundation.errors import Problem
from messaging.building import BLOCKS, Block, Writer, check_text, unmarked


@BLOCKS.register
class List(Block):
    key = "list"
    label = "List"
    icon = "format_list_bulleted"
    place = 50
    shapes = {"items": "texts", "ordered": "yes or no"}
    fields = {"items": "its points, a list of texts", "ordered": "whether they are numbered"}
    optional = frozenset({"ordered"})

    def check(self, name: str, value: Any, path: str) -> list[Problem]:
        if name == "ordered":
            return [] if isinstance(value, bool) else [Problem(path, "must be true or false")]
        if not isinstance(value, list) or len(value) > 50:
            return [Problem(path, "must be a list of at most 50 texts")]
        return [problem for place, item in enumerate(value) for problem in check_text(item, f"{path}[{place}]")]

    def mjml(self, write: Writer) -> str:
        tag = "ol" if self.values.get("ordered") else "ul"
        items = "".join(f'<li style="margin:0 0 6px">{write.rich(item)}</li>' for item in self.values["items"])
        return f'<mj-text><{tag} style="margin:0;padding-left:24px">{items}</{tag}></mj-text>'

    def web(self, write: Writer) -> str:
        tag = "ol" if self.values.get("ordered") else "ul"
        return f"<{tag}>{''.join(f'<li>{write.rich(item)}</li>' for item in self.values['items'])}</{tag}>"

    def text(self) -> str:
        marks = (f"{n}." for n in range(1, 51)) if self.values.get("ordered") else ("-" for _ in range(50))
        return "\n".join(f"{mark} {unmarked(item)}" for mark, item in zip(marks, self.values["items"], strict=False))
