"""MJML as advanced users write it: read strictly, so that nothing in it fetches, runs or hides anything.

What is read here is written anew for the compiler: only elements and attributes that are named below, the words
between them as marks (`building.Writer`), and Liquid where it can do no harm. Whatever else is there is a sentence.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape, unescape
from html.parser import HTMLParser
from typing import Protocol

LONGEST = 60_000
_LIQUID = re.compile(r"(\{\{.*?\}\}|\{%.*?%\})", re.DOTALL)
_MARK = re.compile(r"zq(\d+)qz")

# What may stand in what; "" is the outside.
_OUTER = {"mj-section", "mj-wrapper", "mj-hero"}
_CONTENT = {"mj-text", "mj-button", "mj-image", "mj-divider", "mj-spacer", "mj-table", "mj-raw"}
_INSIDE: dict[str, set[str]] = {
    "": _OUTER | _CONTENT,
    "mj-wrapper": {"mj-section", "mj-hero", "mj-raw"},
    "mj-section": {"mj-column", "mj-group", "mj-raw"},
    "mj-group": {"mj-column", "mj-raw"},
    "mj-column": _CONTENT,
    "mj-hero": _CONTENT,
}
_WORDS = {"mj-text", "mj-button", "mj-table", "mj-raw"}
"""Those in which words and HTML stand."""
_HTML = {
    *("a", "abbr", "b", "blockquote", "br", "center", "code", "del", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6"),
    *("hr", "i", "img", "ins", "li", "ol", "p", "pre", "s", "small", "span", "strong", "sub", "sup", "u", "ul"),
    *("table", "tbody", "td", "tfoot", "th", "thead", "tr"),
}
_VOID = {"br", "hr", "img", "mj-image", "mj-divider", "mj-spacer"}
_BLOCKS = {"blockquote", "center", "div", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "table", "tr", "ul"}  # fmt: skip # noqa: E501
_WHY_NOT = {
    "mj-include": "would fetch a file, which is not done here: paste what the file holds in its place",
    "mj-font": "would fetch a font from somebody who then learns of everybody who reads",
    "mj-carousel": "would fetch pictures from others: use <mj-image>",
    "mj-social": "would fetch pictures from others: use <mj-image> with a link",
    "mj-accordion": "would fetch pictures from others, and few mail programs open it",
    **dict.fromkeys(
        ("mjml", "mj-body", "mj-head", "mj-style", "mj-attributes", "mj-preview", "mj-title"),
        "is the brand's, which stands around all blocks: begin with <mj-section>, and say in each element how it looks",
    ),
}
_LINKS, _PICTURES = {"href"}, {"src", "background-url"}
_SAID = {
    "alt",
    "title",
    "lang",
    "name",
    "id",
    "class",
    "css-class",
    "rel",
    "role",
    "aria-label",
    "aria-hidden",
    "target",
}
_LOOKS = re.compile(r"[\w\s#%.,()+/'!*-]{0,300}\Z")
_STYLE = re.compile(r"[\w\s#%.,()+/'!*:;-]{0,2000}\Z")
_NAME = re.compile(r"[a-z][a-z-]*\Z")
_FETCHES = re.compile(r"url\s*\(|@import|expression|behaviou?r|javascript", re.IGNORECASE)
_BRAND = re.compile(r"\{\{-?\s*brand\.colour\s*(\|[^{}]*)?-?\}\}\Z")
_BARE = re.compile(r"""=\s*(?!["'\s])""")
_QUOTED = re.compile(r""""[^"]*"|'[^']*'""")


class Writer(Protocol):
    def liquid(self, source: str) -> str: ...
    def href(self, text: str) -> str: ...
    def put_back(self, html: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Flaw:
    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


@dataclass
class Read:
    """`source` is for the compiler, with marks of the writer in it; `text` says the same in plain words, Liquid in it.

    `hrefs` are the addresses that links and pictures lead to, each with its line; `pairs` are colours of words on
    colours of what is behind them.
    """

    source: str = ""
    text: str = ""
    flaws: list[Flaw] = field(default_factory=list)
    hrefs: list[tuple[int, str]] = field(default_factory=list)
    pairs: list[tuple[int, str, str]] = field(default_factory=list)
    is_wide: bool = False


def read(source: str, write: Writer, *, nested: bool = False) -> Read:
    """Reads it all; what is wrong stands in `flaws`, by lines. `nested`: it is to stand in a column."""
    parts = _LIQUID.split(source)
    kept = {}
    marked = ""
    for place, part in enumerate(parts):
        if place % 2:
            mark = write.liquid(part)
            kept[mark] = part
            marked += mark + "\n" * part.count("\n")
        else:
            marked += _MARK.sub(lambda found: write.liquid(found[0]), part)
    reader = _Reader(write, kept, nested=nested)
    reader.feed(marked)
    reader.finish()
    return reader.read


@dataclass
class _Open:
    tag: str
    line: int
    background: str
    colour: str
    words: list[str] = field(default_factory=list)
    """What stands in it, as HTML and as plain words."""
    plain: list[str] = field(default_factory=list)
    href: str = ""


class _Reader(HTMLParser):
    """Takes the source apart and puts it together again."""

    def __init__(self, write: Writer, kept: Mapping[str, str], *, nested: bool) -> None:
        super().__init__(convert_charrefs=False)
        self.read = Read()
        self._write, self._kept, self._nested = write, kept, nested
        self._out: list[str] = []
        self._stack: list[_Open] = []
        self._text: list[str] = []

    # ── What is open ─────────────────────────────────────────────────────────────────────────────────────────────────
    @property
    def _words(self) -> _Open | None:
        """The element of words that we are in."""
        return next((one for one in self._stack if one.tag in _WORDS), None)

    def _wrong(self, reason: str, line: int | None = None) -> None:
        self.read.flaws.append(Flaw(line or self.getpos()[0], reason))

    # ── What is met ──────────────────────────────────────────────────────────────────────────────────────────────────
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._begin(tag, attrs, is_closed=False)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._begin(tag, attrs, is_closed=True)

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        top = self._stack[-1] if self._stack else None
        if top is None:
            self._wrong(f"</{tag}> closes nothing")
        elif top.tag != tag:
            self._wrong(f"</{tag}> comes while <{top.tag}> of line {top.line} is still open: close that first")
            while self._stack and any(one.tag == tag for one in self._stack) and self._stack.pop().tag != tag:
                pass
        else:
            self._end(self._stack.pop())

    def handle_data(self, data: str) -> None:
        if self._words:
            self._say(escape(data, quote=False), data)
            return
        line = self.getpos()[0]
        for part in re.split(r"(zq\d+qz)", data):
            if part in self._kept:
                self._between(part)
            elif words := part.strip():
                at = line + part[: part.index(words)].count("\n")
                self._wrong(f"“{words[:30]}” stands outside of an element for words: put it in <mj-text>", at)
            line += part.count("\n")

    def handle_entityref(self, name: str) -> None:
        self._reference(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self._reference(f"&#{name};")

    def handle_decl(self, decl: str) -> None:
        self._wrong("a declaration (<! …>) has no place here")

    def unknown_decl(self, data: str) -> None:
        self._wrong("CDATA has no place here: write the words as they are")

    def handle_pi(self, data: str) -> None:
        self._wrong("a processing instruction (<? …>) has no place here")

    def handle_comment(self, data: str) -> None:
        if _MARK.search(data):
            self._wrong("Liquid in a comment: take it out, or take the comment away")

    def finish(self) -> None:
        self.close()
        for one in self._stack:
            self._wrong(f"<{one.tag}> is never closed", one.line)
        if not self.read.flaws and not self._out:
            self._wrong("there is nothing in it", 1)
        self.read.source, self.read.text = "".join(self._out), _tidy("".join(self._text), self._write)

    # ── Elements ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def _begin(self, tag: str, attrs: Sequence[tuple[str, str | None]], *, is_closed: bool) -> None:
        if _BARE.search(_QUOTED.sub('""', self.get_starttag_text() or "")):
            self._wrong(f"a value of <{tag[:30]}> stands without quotes: put it in quotes")
        if not self._may_stand(tag):
            if not is_closed and tag not in _VOID:
                self._stack.append(_Open(tag, self.getpos()[0], "", ""))
            return
        given = self._judged(tag, attrs)
        written = "".join(f' {name}="{value}"' for name, value in given.items())
        closes = is_closed or tag in _VOID
        one = self._opened(tag, attrs)
        if tag.startswith("mj-"):
            if not self._stack and tag in _OUTER:
                self.read.is_wide = True
            self._out.append(f"<{tag}{written}{' /' if closes else ''}>")
        else:
            br = "\n" if tag == "br" else "\n" if tag in _BLOCKS else ""
            self._say(f"<{tag}{written}{' /' if tag in _VOID else ''}>", br + ("- " if tag == "li" else ""))
            if closes and tag not in _VOID:
                self._say(f"</{tag}>", "")
        if not closes:
            self._stack.append(one)
        elif tag.startswith("mj-") and tag not in _VOID:
            self._out[-1] = f"<{tag}{written}></{tag}>"

    def _may_stand(self, tag: str) -> bool:
        around = self._stack[-1].tag if self._stack else ""
        if not tag.startswith("mj-") and tag != "mjml":
            if tag not in _HTML:
                self._wrong(f"<{tag[:30]}> may not be in a mail, or mail programs take it out")
            elif not self._words:
                self._wrong(f"<{tag}> stands outside of an element for words: put it in <mj-text>")
            return tag in _HTML and self._words is not None
        if tag not in _CONTENT and tag not in _INSIDE:
            why = next((why for name, why in _WHY_NOT.items() if tag == name or tag.startswith(f"{name}-")), "")
            self._wrong(f"<{tag[:30]}> {why or 'is no element of MJML that can be used here'}")
            return False
        if around not in _INSIDE or tag not in _INSIDE[around]:
            where = f"in <{around}> of line {self._stack[-1].line}" if around else "by itself: put it in <mj-section>"
            self._wrong(f"<{tag}> cannot stand {where}")
            return False
        if not around and self._nested and tag in _OUTER:
            self._wrong(f"<{tag}> cannot stand in a column of blocks: take what is inside of its <mj-column>")
            return False
        return True

    def _opened(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> _Open:
        """The element with the colours that hold in it."""
        given = {name: self._original(value or "") for name, value in attrs}
        above = self._stack[-1] if self._stack else _Open("", 0, "#ffffff", "#1f2937")
        behind = given.get("background-color") or given.get("container-background-color") or above.background
        colour = given.get("color") or above.colour
        if tag == "mj-button":
            behind, colour = given.get("background-color", "#414141"), given.get("color", "#ffffff")
        for name, value in re.findall(r"(background-color|background|color)\s*:\s*([^;]+)", given.get("style", "")):
            behind, colour = (value.strip(), colour) if name != "color" else (behind, value.strip())
        if tag in ("mj-text", "mj-button", "mj-table") or (
            self._words and (behind, colour) != (above.background, above.colour)
        ):
            self.read.pairs.append((self.getpos()[0], colour, behind))
        return _Open(tag, self.getpos()[0], behind, colour, href=given.get("href", ""))

    def _end(self, one: _Open) -> None:
        if one.tag not in _WORDS:
            if one.tag.startswith("mj-"):
                self._out.append(f"</{one.tag}>")
                return
            self._say(f"</{one.tag}>", "\n" if one.tag in _BLOCKS else " " if one.tag in ("td", "th") else "")
            if one.tag == "a" and one.href:
                self._name_where(one)
            return
        self._out.append(self._write.liquid(self._write.put_back("".join(one.words))))
        self._out.append(f"</{one.tag}>")
        said = "".join(one.plain).strip()
        self._text.append(said + (f": {self._marked(one.href)}" if one.tag == "mj-button" and one.href else ""))
        self._text.append("\n\n")

    def _name_where(self, one: _Open) -> None:
        """Where a link leads, behind its words, unless they say it."""
        words = self._words
        if words and one.href not in self._write.put_back("".join(words.plain))[-len(one.href) - 1 :]:
            words.plain.append(f" ({self._marked(one.href)})")

    # ── Words ────────────────────────────────────────────────────────────────────────────────────────────────────────
    def _say(self, html: str, plain: str) -> None:
        words = self._words
        if words:
            words.words.append(html)
            words.plain.append(plain if plain in ("", "\n", "- ", "\n- ", " ") else re.sub(r"\s+", " ", plain))

    def _reference(self, said: str) -> None:
        if self._words:
            self._say(said, unescape(said).replace("\xa0", " "))
        else:
            self._wrong(f"“{said}” stands outside of an element for words: put it in <mj-text>")

    def _between(self, mark: str) -> None:
        """Liquid between elements: what decides may stand there, what is filled in may not."""
        if self._kept[mark].startswith("{{"):
            self._wrong(f"“{self._kept[mark][:40]}” stands outside of an element for words: put it in <mj-text>")
            return
        self._out.append(f"<mj-raw>{mark}</mj-raw>")
        self._text.append(mark)

    # ── Attributes ───────────────────────────────────────────────────────────────────────────────────────────────────
    def _original(self, value: str) -> str:
        return _MARK.sub(lambda found: self._kept.get(found[0], found[0]), value)

    def _marked(self, value: str) -> str:
        """Kept from the tidying of white space."""
        return self._write.liquid(value)

    def _judged(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> dict[str, str]:
        """The attributes as they are written anew; what is wrong with the others is said."""
        found: dict[str, str] = {}
        for name, raw in attrs:
            value = self._original(raw or "").strip()
            if not _NAME.match(name):
                self._wrong(f"<{tag}> has something in it that is no attribute: Liquid goes into words, or into quotes")
            elif name in found:
                self._wrong(f"<{tag}> says `{name}` twice")
            elif name in _LINKS | _PICTURES:
                self.read.hrefs.append((self.getpos()[0], value))
                found[name] = self._write.href(value)
            elif name in _SAID:
                found[name] = self._write.liquid(_escaped(value))
            elif flaw := _looks_odd(name, value):
                self._wrong(f"`{name}` of <{tag}> {flaw}")
            else:
                found[name] = self._write.liquid(value) if "{" in value else value
        for name, what in (
            ("src", "the address of the picture"),
            ("alt", 'what it shows, or alt="" where it only decorates'),
        ):
            if tag in ("mj-image", "img") and name not in found:
                self._wrong(f"<{tag}> has no `{name}`: {what}")
        if tag == "a" and "href" not in found:
            self._wrong("<a> has no `href`: where the link leads")
        return found


def _looks_odd(name: str, value: str) -> str:
    """What is wrong with how something is to look."""
    if name.startswith("on") or name in ("srcset", "background", "action", "formaction", "data", "poster"):
        return "may not be in a mail"
    if _BRAND.match(value):
        return ""
    plain = re.sub(_BRAND.pattern.removesuffix(r"\Z"), "#000000", value)
    if "{" in plain:
        return (
            "can be filled in with {{ brand.colour }} alone: other values could change the mail for whoever sends them"
        )
    if _FETCHES.search(plain):
        return "would fetch or run something; name pictures in `src` or `background-url`"
    if not (_STYLE if name == "style" else _LOOKS).match(plain):
        return "holds characters that have no place there"
    return ""


def _escaped(value: str) -> str:
    return "".join(part if place % 2 else escape(part) for place, part in enumerate(_LIQUID.split(value)))


def _tidy(text: str, write: Writer) -> str:
    lines = [re.sub(r"[ \t]+", " ", line).strip() for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", write.put_back("\n".join(lines))).strip()


def line_of(source: str, reason: str) -> int:
    """The line of the first Liquid that holds a name which the reason quotes; 0 if none does."""
    at = 1
    for place, part in enumerate(_LIQUID.split(source)):
        if place % 2 and any(name in part for name in re.findall(r"`([^`]+)`", reason)[:1]):
            return at
        at += part.count("\n")
    return 0


# ── Colours ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def contrast(one: str, other: str) -> float:
    """Of two colours such as #0f766e, as WCAG 2.2 reckons it: from 1 to 21; 21 where one is not known."""
    first, second = _luminance(one), _luminance(other)
    if first is None or second is None:
        return 21.0
    return (max(first, second) + 0.05) / (min(first, second) + 0.05)


def _luminance(colour: str) -> float | None:
    short = re.match(r"#([0-9a-fA-F])([0-9a-fA-F])([0-9a-fA-F])\Z", colour)
    if short:
        colour = f"#{short[1] * 2}{short[2] * 2}{short[3] * 2}"
    colour = {"white": "#ffffff", "black": "#000000"}.get(colour.lower(), colour)
    if not re.match(r"#[0-9a-fA-F]{6}\Z", colour):
        return None
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def pale(found: Read, brand: str, least: float) -> Iterator[str]:
    """The places where words are hard to read, `brand` being the brand's colour."""
    told = set()
    for line, colour, behind in found.pairs:
        words, ground = (brand if _BRAND.match(one) else one for one in (colour, behind))
        if (line, words, ground) not in told and contrast(words, ground) < least:
            told.add((line, words, ground))
            yield f"Line {line}: words in {words} on {ground} are hard to read."
