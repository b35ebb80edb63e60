"""HTML as a tree that a page can build elements of, with nothing in it but what stands here (XS-03).

A node is a text, or `[tag, attributes, children]`. What is sent so is never read as HTML again.
"""

from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

Node = str | list[Any]

TAGS = frozenset({"a", "blockquote", "br", "em", "h2", "hr", "img", "li", "ol", "p", "strong", "ul"})
_EMPTY = frozenset({"br", "hr", "img"})
_SILENT = frozenset({"script", "style", "template", "noscript", "iframe", "object", "svg", "math", "title", "textarea"})
_LINKS, _PICTURES = ("http", "https", "mailto", "tel"), ("http", "https")
_DEEPEST = 20


def of(html: str) -> list[Node]:
    """The tree of what the HTML shows."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.root


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root: list[Node] = []
        self._open: list[tuple[str, list[Node]]] = []
        self._silent = 0

    @property
    def _here(self) -> list[Node]:
        return self._open[-1][1] if self._open else self.root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent += 1
        if self._silent or tag not in TAGS:
            return
        node: Node = [tag, _kept(tag, dict(attrs)), []]
        if len(self._open) < _DEEPEST:
            self._here.append(node)
            if tag not in _EMPTY:
                self._open.append((tag, node[2]))  # type: ignore[arg-type]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif any(name == tag for name, _ in self._open):
            while self._open.pop()[0] != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not self._silent and data:
            self._here.append(data)


def _kept(tag: str, given: Mapping[str, str | None]) -> dict[str, str]:
    kept: dict[str, str] = {}
    if tag == "a":
        if href := _address(given.get("href"), _LINKS):
            kept["href"] = href
        if given.get("class") == "button":
            kept["class"] = "button"
    if tag == "img":
        kept["alt"] = given.get("alt") or ""
        if src := _address(given.get("src"), _PICTURES):
            kept["src"] = src
    return kept


def _address(given: str | None, schemes: tuple[str, ...]) -> str:
    address = (given or "").strip()
    try:
        scheme = urlsplit(address).scheme
    except ValueError:
        return ""
    return address if scheme in schemes and address.isprintable() else ""
