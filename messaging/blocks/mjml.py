"""MJML, for those who write it by hand; the brand's head and foot stand around it as around all blocks."""

from typing import Any

import mrml

from foundation.errors import Problem
from messaging import mjml
from messaging.building import BLOCKS, NO_FONTS, Block, Writer, check_href, check_liquid
from messaging.liquid import Program, Unsayable


@BLOCKS.register
class Mjml(Block):
    key = "mjml"
    label = "MJML"
    icon = "code"
    place = 90
    needs_frame = True
    permission = "messaging.write_mjml"
    shapes = {"source": "source"}
    fields = {"source": "the MJML, from <mj-section> on, with Liquid in it if need be"}

    def check(self, name: str, value: Any, path: str) -> list[Problem]:
        if not isinstance(value, str):
            return [Problem(path, "must be text")]
        if len(value) > mjml.LONGEST:
            return [Problem(path, f"is longer than {mjml.LONGEST:,} characters")]
        if "\0" in value:
            return [Problem(path, "holds a character (NUL) that no message can carry")]
        for problem in check_liquid(value, path):
            line = mjml.line_of(value, problem.reason)
            return [Problem(path, f"line {line}: {problem.reason}" if line else problem.reason)]
        write = Writer()
        found = mjml.read(value, write, nested=self.nested)
        flaws = [str(flaw) for flaw in found.flaws]
        for line, href in found.hrefs:
            flaws += [f"line {line}: “{href[:60]}” {problem.reason}" for problem in check_href(href, path)]
        return [Problem(path, flaw) for flaw in flaws[:20]] or _compiles(found, write, path)

    def _read(self, write: Writer) -> mjml.Read:
        return mjml.read(self.values["source"], write, nested=self.nested)

    def mjml(self, write: Writer) -> str:
        return self._read(write).source

    def text(self) -> str:
        return self._read(Writer()).text


def _compiles(found: mjml.Read, write: Writer, path: str) -> list[Problem]:
    """Whether the compiler and Liquid take what was read; each finds what the reading could not."""
    body = found.source if found.is_wide else f"<mj-section><mj-column>{found.source}</mj-column></mj-section>"
    try:
        html = mrml.to_html(f"<mjml><mj-body>{body}</mj-body></mjml>", render_options=NO_FONTS).content
        for text, is_html in ((write.put_back(html), True), (found.text, False)):
            Program(text, html=is_html).check()
    except OSError as error:
        return [Problem(path, f"MJML cannot be made of it ({error})")]
    except Unsayable as unsayable:
        return [Problem(path, f"{unsayable}; what Liquid opens inside an element, it must close there")]
    return []
