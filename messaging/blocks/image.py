"""A picture, with words for those who do not see it."""

from typing import Any

from foundation.errors import Problem
from messaging.building import BLOCKS, Block, Writer


@BLOCKS.register
class Image(Block):
    key = "image"
    label = "Image"
    icon = "image"
    is_said = False
    place = 40
    shapes = {"src": "address", "alt": "line", "href": "address", "width": "number"}
    fields = {
        "src": "where the picture lies, such as https://example.com/hello.png",
        "alt": "what it shows, for those who do not see it",
        "href": "where it leads when it is clicked",
        "width": "its width in pixels, up to 600",
    }
    optional = frozenset({"href", "width"})

    def check(self, name: str, value: Any, path: str) -> list[Problem]:
        if name == "width":
            fits = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 600
            return [] if fits else [Problem(path, "must be a whole number of pixels from 1 to 600")]
        return super().check(name, value, path)

    def mjml(self, write: Writer) -> str:
        href = self.values.get("href")
        leads = f' href="{write.href(href)}"' if href else ""
        width = f' width="{self.values["width"]}px"' if self.values.get("width") else ""
        src, alt = write.href(self.values["src"]), write.plain(self.values["alt"])
        return f'<mj-image src="{src}" alt="{alt}"{leads}{width} padding="8px 24px" />'

    def web(self, write: Writer) -> str:
        picture = f'<img src="{write.href(self.values["src"])}" alt="{write.plain(self.values["alt"])}">'
        href = self.values.get("href")
        return f'<a href="{write.href(href)}">{picture}</a>' if href else picture

    def text(self) -> str:
        href = self.values.get("href")
        return f"[{self.values['alt']}]" + (f": {href.strip()}" if href else "")
