"""What a message is built of: the family of blocks, and the compiling of a row of them to HTML and plain text.

What authors write never meets the MJML compiler: marks stand for it, and are replaced in what comes out. So nothing
in it can be read as MJML, and Liquid is not taken apart.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, ClassVar

import mrml

from foundation.errors import Invalid, Problem
from foundation.registry import Family
from messaging import dynamic, languages
from messaging.delivery import Form
from messaging.liquid import Program, Unsayable
from messaging.snippets import inside
from messaging.snippets.inside import Held

BLOCKS: Family[type["Block"]] = Family("blocks", "messaging.blocks")
MOST_BLOCKS = 100
_LONGEST = 20_000
_LARGEST = 256_000
_LIQUID = re.compile(r"(\{\{.*?\}\}|\{%.*?%\})", re.DOTALL)
_ONE_VALUE = re.compile(r"\{\{(?P<inner>[^{}]*)\}\}\Z")
_HREF = re.compile(
    r"(https?://[^\s/?#@\\\"'<>]+([/?#][^\s\\\"'<>]*)?|mailto:[^\s\\\"'<>]+|tel:[+\d\-. ()]+)\Z", re.IGNORECASE
)
_MARK = re.compile(r"zq(\d+)qz")
_ASIDE = re.compile("\ue000(\\d+)\ue001")


class Block(ABC):
    """One piece of a message: says what is wrong with it, and what it looks like in MJML and in plain text."""

    key: ClassVar[str]
    label: ClassVar[str]
    fields: ClassVar[dict[str, str]]
    """What it has, each with a sentence on what that is; all are required but those in `optional`."""
    optional: ClassVar[frozenset[str]] = frozenset()
    icon: ClassVar[str] = "crop_square"
    place: ClassVar[int] = 50
    """Where it stands among what can be added: what is used most comes first."""
    shapes: ClassVar[Mapping[str, str]] = {}
    """How the editor asks for a field that is no text of several lines; see `messaging.editor.shapes`."""
    is_said: ClassVar[bool] = True
    """Whether plain text can say it; a picture or a line it cannot."""
    needs_frame: ClassVar[bool] = False
    """Whether it can be said in a mail alone."""
    permission: ClassVar[str] = ""
    """What staff must be allowed to write it; "" for whoever may write templates."""

    def __init__(
        self, values: Mapping[str, Any], snippets: Mapping[str, Any] | None = None, *, nested: bool = False
    ) -> None:
        """`snippets`: what those say that blocks may include, by their slugs. `nested`: it stands in a column."""
        self.values, self.snippets, self.nested = values, snippets or {}, nested

    @property
    def shown_as(self) -> str:
        """What it is called in `shown` whether a person sees this; "" where everybody does. See `messaging.dynamic`."""
        return dynamic.name_of(self.values["when"]) if self.values.get("when") else ""

    @classmethod
    def read(
        cls,
        values: Mapping[str, Any],
        path: str,
        snippets: Mapping[str, Any] | None = None,
        *,
        nested: bool = False,
    ) -> tuple["Block", list[Problem]]:
        """The block, and all that is wrong with it."""
        block = cls(values, snippets, nested=nested)
        unknown = values.keys() - cls.fields.keys() - {"kind", "when"}
        names = ", ".join(f"`{name}`" for name in cls.fields) or "no fields"
        problems = [
            Problem(f"{path}.{name}", f"a {cls.key} has no such field; it has {names}") for name in sorted(unknown)
        ]
        for name in cls.fields:
            if values.get(name) not in (None, "", []):
                problems += block.check(name, values[name], f"{path}.{name}")
            elif name not in cls.optional:
                problems.append(Problem(f"{path}.{name}", f"is missing: {cls.fields[name]}"))
        if values.get("when"):
            problems += dynamic.problems(values["when"], f"{path}.when")
        return block, problems

    def check(self, name: str, value: Any, path: str) -> list[Problem]:
        """What is wrong with one field that is there; text, unless a block says otherwise."""
        return check_href(value, path) if name in ("href", "src") else check_text(value, path)

    def inside(self) -> list["Block"]:
        """The blocks that it brings along."""
        return []

    @abstractmethod
    def mjml(self, write: "Writer") -> str:
        """The block as children of a column."""

    @abstractmethod
    def text(self) -> str:
        """The block as plain text, Liquid in it."""

    def web(self, write: "Writer") -> str:
        """The block as plain HTML, for a place that has a look of its own."""
        return f"<p>{write.rich(self.text())}</p>"


def mjml_of(block: Block, write: "Writer") -> str:
    """The block as children of a column, for whoever is to see it."""
    if not block.shown_as:
        return block.mjml(write)
    begin, end = write.liquid(f"{{% if shown.{block.shown_as} %}}"), write.liquid("{% endif %}")
    return f"<mj-raw>{begin}</mj-raw>{block.mjml(write)}<mj-raw>{end}</mj-raw>"


def web_of(block: Block, write: "Writer") -> str:
    return _for_whom(block, block.web(write))


def text_of(block: Block) -> str:
    """As plain text, apart from what stands beside it by an empty line, which goes with it."""
    text = block.text().strip()
    return _for_whom(block, f"{text}\n\n") if text else ""


def _for_whom(block: Block, said: str) -> str:
    return f"{{% if shown.{block.shown_as} %}}{said}{{% endif %}}" if block.shown_as else said


def check_text(value: Any, path: str) -> list[Problem]:
    """What is wrong with a text that may have Liquid in it."""
    if not isinstance(value, str):
        return [Problem(path, "must be text")]
    if len(value) > _LONGEST:
        return [Problem(path, f"is longer than {_LONGEST:,} characters")]
    if "\0" in value:
        return [Problem(path, "holds a character (NUL) that no message can carry")]
    return [*check_liquid(value, path), *(p for href in links_in(value) for p in check_href(href, path))]


def check_liquid(value: str, path: str) -> list[Problem]:
    try:
        Program(value).check()
    except Unsayable as unsayable:
        return [Problem(path, f"{unsayable}")]
    return []


def check_href(value: Any, path: str) -> list[Problem]:
    """What is wrong with where a link leads: it begins with https://, http://, mailto: or tel:, or is one value."""
    if not isinstance(value, str):
        return [Problem(path, "must be an address as text")]
    if problems := check_liquid(value, path):
        return problems
    if _ONE_VALUE.match(value.strip()) or _HREF.match(_LIQUID.sub("x", value.strip()).strip()):
        starts_with_liquid = value.strip().startswith("{")
        if not starts_with_liquid or _ONE_VALUE.match(value.strip()):
            return []
    return [
        Problem(path, "must begin with https:// (or http://, mailto:, tel:), or be one value such as {{ event.url }}")
    ]


_BOLD, _ITALIC = re.compile(r"\*\*(.+?)\*\*", re.DOTALL), re.compile(r"(?<![*\w])\*([^*\n]+?)\*(?![*\w])")
_LINK = re.compile(r"\[([^\[\]]+)\]\(((?:[^()]|\([^()]*\))+)\)")


def links_in(text: str) -> list[str]:
    """Where the [links](https://…) of a text lead."""
    return [href for _, href in _LINK.findall(text)]


class Writer:
    """Makes HTML of authors' text, everything escaped, and keeps it aside until the MJML around it is compiled."""

    def __init__(self) -> None:
        self._kept: list[str] = []

    def liquid(self, source: str) -> str:
        """The mark of a piece of Liquid of our own."""
        self._kept.append(source)
        return f"zq{len(self._kept) - 1}qz"

    def plain(self, text: str) -> str:
        """The mark of text for an attribute, or where no emphasis is wanted."""
        return self.liquid(_escaped(text))

    def rich(self, text: str) -> str:
        """The mark of text with **strong** and *stressed* words, [links](https://…), and line breaks."""
        return self.liquid(_rich(text.strip()))

    def href(self, text: str) -> str:
        """The mark of where a link leads."""
        return self.liquid(_href(text))

    def put_back(self, html: str) -> str:
        return _MARK.sub(lambda found: self._kept[int(found[1])], html)


def _escaped(text: str) -> str:
    parts = enumerate(_LIQUID.split(text))
    return "".join(part if place % 2 else escape(part) for place, part in parts)


def _href(text: str) -> str:
    """A value that is all of an address is looked at when it is known."""
    whole = _ONE_VALUE.match(text.strip())
    return f"{{{{{whole['inner'].rstrip()} | address }}}}" if whole else _escaped(text.strip())


def _rich(text: str) -> str:
    aside: list[str] = []

    def put_aside(html: str) -> str:
        aside.append(html)
        return f"\ue000{len(aside) - 1}\ue001"

    def link(found: re.Match[str]) -> str:
        return put_aside(f'<a href="{_href(found[2])}" style="color:inherit">{_rich(found[1])}</a>')

    written = _LINK.sub(link, text.replace("\ue000", "").replace("\ue001", ""))
    written = _LIQUID.sub(lambda found: put_aside(found[0]), written)
    written = _ITALIC.sub(r"<em>\1</em>", _BOLD.sub(r"<strong>\1</strong>", escape(written)))
    written = written.replace("\r\n", "\n").replace("\n", "<br />")
    return _ASIDE.sub(lambda found: aside[int(found[1])], written)


def unmarked(text: str) -> str:
    """Text for people who read plain text: links written out, stars gone."""
    written = _LINK.sub(lambda found: f"{found[1]} ({found[2].strip()})", text.strip())
    return _ITALIC.sub(r"\1", _BOLD.sub(r"\1", written))


@dataclass(frozen=True)
class Compiled:
    """What a version keeps: HTML and plain text, Liquid still in both."""

    html: str
    text: str


def read(
    blocks: Any, path: str = "blocks", *, nested: bool = False, snippets: Mapping[str, Any] | None = None
) -> list[Block]:
    """The blocks, or `Invalid` with everything that is wrong with them, each with its path (`blocks[2].href`)."""
    if not isinstance(blocks, list) or (not blocks and not nested):
        raise Invalid.at(path, "must be a list of at least one block")
    if len(blocks) > MOST_BLOCKS:
        raise Invalid.at(path, f"has {len(blocks)} blocks; at most {MOST_BLOCKS} make one message")
    if snippets and inside.size(blocks, snippets) > inside.MOST:
        raise Invalid.at(path, f"come to more than {inside.MOST} blocks with what their snippets say")
    found, problems = [], []
    for place, values in enumerate(blocks):
        here = f"{path}[{place}]"
        kind = values.get("kind") if isinstance(values, dict) else None
        variant = BLOCKS.get(kind) if isinstance(kind, str) else None
        if not isinstance(values, dict):
            problems.append(Problem(here, "must be an object with a `kind`"))
        elif variant is None or (nested and variant.key == "columns"):
            known = ", ".join(key for key in BLOCKS.keys() if not (nested and key == "columns"))  # noqa: SIM118 (sorted)
            problems.append(Problem(f"{here}.kind", f"must be one of {known}"))
        else:
            block, wrong = variant.read(values, here, snippets, nested=nested)
            found.append(block)
            problems += wrong
    if problems:
        raise Invalid(problems)
    return found


def compile_blocks(blocks: Sequence[Block], language: str = "en") -> Compiled:
    """Compiles a message, with the brand's head and foot around it."""
    write = Writer()
    body = "".join(section(mjml_of(block, write)) for block in blocks)
    page = _PAGE.format(
        language=language, direction=languages.direction(language), head=_head(write), body=body, foot=_foot(write)
    )
    html = write.put_back(mrml.to_html(page, render_options=NO_FONTS).content)
    if len(html) > _LARGEST:
        raise Invalid.at("blocks", f"make a mail of {len(html):,} characters; at most {_LARGEST:,} can be sent")
    text = "".join(text_of(block) for block in blocks).rstrip("\n")
    return Compiled(html, f"{text}\n\n{_FOOT_TEXT}")


def compile_said(form: Form, blocks: Any, held: Held, language: str = "") -> Compiled:
    """The same of blocks as they are stored, with what the snippets say in that language that they include."""
    found = read(blocks, snippets=languages.of_snippets(held, language))
    return compile_for(form, found, language or "en")


def compile_for(form: Form, blocks: Sequence[Block], language: str = "en") -> Compiled:
    """Compiles a message for a channel: a whole mail, its parts alone, or nothing but words."""
    if form.framed:
        return compile_blocks(blocks, language)
    text = "".join(text_of(block) for block in blocks).rstrip("\n")
    if not form.rich:
        return Compiled("", text)
    write = Writer()
    html = write.put_back("".join(web_of(block, write) for block in blocks))
    if len(html) > _LARGEST:
        raise Invalid.at("blocks", f"make {len(html):,} characters of HTML; at most {_LARGEST:,} can be sent")
    return Compiled(html, text)


def unfit(form: Form, label: str, blocks: Sequence[Block], text: str) -> list[Problem]:
    """What of these a channel cannot say, and whether it is too much; `text` is what they say in plain words."""
    problems = [
        Problem(f"blocks[{place}].kind", f"is not for {label}, which is plain text: take out the {block.label.lower()}")
        for place, block in enumerate(blocks)
        if not form.rich and not _is_said(block)
    ]
    problems += [
        Problem(f"blocks[{place}].kind", f"is for mail alone: by {label} say it with other blocks than {block.label}")
        for place, block in enumerate(blocks)
        if not form.framed and _needs_frame(block)
    ]
    length = len(_LIQUID.sub("", text))
    if form.longest is not None and length > form.longest:
        most = f"by {label} at most {form.longest:,} can be said"
        problems.append(Problem("blocks", f"have {length:,} characters; {most}"))
    return problems


def section(content: str) -> str:
    """What stands in a column, in a section of its own; what is one already stays as it is."""
    if "<mj-section" in content:
        return content
    return f'<mj-section padding="0"><mj-column>{content}</mj-column></mj-section>'


def _is_said(block: Block) -> bool:
    return block.is_said and all(map(_is_said, block.inside()))


def _needs_frame(block: Block) -> bool:
    return block.needs_frame or any(map(_needs_frame, block.inside()))


# MJML would fetch fonts that it knows from their maker, who would learn of everyone who reads.
NO_FONTS = mrml.RenderOptions(fonts={})
_PAGE = """<mjml lang="{language}" dir="{direction}"><mj-head><mj-attributes>
<mj-all font-family="-apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif" />
<mj-text font-size="16px" line-height="1.55" color="#1f2937" padding="8px 24px" />
<mj-section padding="0" background-color="#ffffff" />
</mj-attributes></mj-head><mj-body background-color="#f3f4f6" width="600px">{head}{body}{foot}</mj-body></mjml>"""


def _head(write: Writer) -> str:
    logo, name = write.liquid("{{ brand.logo_url | address }}"), write.liquid("{{ brand.name }}")
    return (
        '<mj-section padding="24px 0 8px"><mj-column>'
        f"<mj-raw>{write.liquid('{% if brand.logo_url %}')}</mj-raw>"
        f'<mj-image src="{logo}" alt="{name}" width="120px" align="left" padding="8px 24px" />'
        f"<mj-raw>{write.liquid('{% else %}')}</mj-raw>"
        f'<mj-text font-size="15px" font-weight="700" color="{write.liquid("{{ brand.colour }}")}">{name}</mj-text>'
        f"<mj-raw>{write.liquid('{% endif %}')}</mj-raw></mj-column></mj-section>"
    )


def _foot(write: Writer) -> str:
    link = '<a href="{}" style="color:#4b5563">{}</a>'
    parts = [
        write.liquid("{{ why }}"),
        "<br />",
        link.format(write.liquid("{{ links.preferences }}"), write.liquid(_PREFERENCES)),
        write.liquid("{% if links.unsubscribe %}"),
        " · ",
        link.format(write.liquid("{{ links.unsubscribe }}"), write.liquid(_UNSUBSCRIBE)),
        write.liquid("{% endif %}"),
        write.liquid("{% if brand.postal_address %}"),
        f'<br /><span style="white-space:pre-line">{write.liquid("{{ brand.postal_address }}")}</span>',
        write.liquid("{% endif %}{% if brand.contact %}"),
        f"<br />{write.liquid('{{ brand.contact }}')}",
        write.liquid("{% endif %}"),
    ]
    return (
        '<mj-section background-color="#f3f4f6" padding="16px 0 32px"><mj-column>'
        f'<mj-text font-size="12px" line-height="1.6" color="#4b5563">{"".join(parts)}</mj-text>'
        "</mj-column></mj-section>"
    )


_PREFERENCES = "{{ words.preferences | default: 'Choose what you get' }}"
_UNSUBSCRIBE = "{{ words.unsubscribe | default: 'Unsubscribe' }}"
_FOOT_TEXT = """-- 
{{ why }}
{{ words.preferences | default: 'Choose what you get' }}: {{ links.preferences }}
{% if links.unsubscribe %}{{ words.unsubscribe | default: 'Unsubscribe' }}: {{ links.unsubscribe }}
{% endif %}{{ brand.postal_address | default: '' }}{% if brand.contact %}
{{ brand.contact }}{% endif %}
"""  # noqa: W291 (the mark that opens a signature ends in a space)
