"""Liquid, as far as it is safe: what templates may say, and the bounds within which saying it must end.

Values come from outside, and authors make mistakes. So: no tag that reads a file, no filter that grows without end, a
limit on loops, output and time; and in HTML whatever comes out of `{{ }}` is escaped, with no way to ask otherwise.
"""

import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, TextIO, cast
from zoneinfo import ZoneInfo

from liquid import Environment, RenderContext, TokenStream
from liquid.ast import Node
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.for_tag import ForNode, ForTag
from liquid.exceptions import FilterArgumentError, LiquidError, ResourceLimitError, UndefinedError
from liquid.filter import with_context
from liquid.output import LimitedStringIO
from liquid.stringify import to_liquid_string
from liquid.template import BoundTemplate
from liquid.undefined import FalsyStrictUndefined, Undefined
from markupsafe import escape

SECONDS = 2.0
_OUTPUT = 512_000  # bytes that one part of a message may have
_TEXT = 65_536  # characters of one value on its way through filters
_LIST = 1_000
_ROUNDS = 10_000  # of all loops that stand inside each other
_BITS = 128

_TAGS = {
    "assign",
    "break",
    "case",
    "comment",
    "content",
    "continue",
    "doc",
    "for",
    "if",
    "illegal",
    "output",
    "unless",
    "#",
}
_FILTERS = {
    *("abs", "at_least", "at_most", "ceil", "divided_by", "floor", "minus", "modulo", "plus", "round", "sum", "times"),
    *("append", "capitalize", "default", "downcase", "lstrip", "prepend", "remove", "remove_first", "replace"),
    *("replace_first", "rstrip", "slice", "split", "squish", "strip", "strip_html", "strip_newlines", "truncate"),
    *("truncatewords", "upcase", "url_decode", "url_encode"),
    *("compact", "concat", "first", "join", "last", "map", "reverse", "size", "sort", "sort_natural", "uniq", "where"),
}
_FORMAT = re.compile(r"(%-?[aAbBdeHIjmMpSuUwWyYZz%]|[^%]){1,100}\Z")
_SCHEMES = ("https://", "http://", "mailto:", "tel:")


class Unsayable(Exception):
    """The template cannot be filled in for this person; `str()` says why, and never holds a value of theirs."""


class TooMuch(LiquidError):
    """A bound was passed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, token=None)


class _Advice(FilterArgumentError):
    """What a filter of ours has to say; those of others may quote the value that they stumbled over."""


class _Missing(FalsyStrictUndefined):
    """A value that nobody sent: may be asked for (`if`, `default`), and may not be printed."""

    force_liquid_default = True


class _Named(Undefined):
    """The same where nobody in particular reads it: its name stands in its place."""

    force_liquid_default = True

    def __str__(self) -> str:
        return f"[{(self.hint or self.name).removesuffix(' is undefined').strip(chr(39))}]"


class _Context(RenderContext):
    """One filling-in, with its end."""

    __slots__ = ("ends_at", "zone")

    ends_at: float
    zone: ZoneInfo

    def check(self) -> None:
        if time.monotonic() > self.ends_at:
            raise TooMuch(f"it takes longer than {SECONDS:g} seconds to fill in")

    def filter(self, name: str, token: Any) -> Callable[..., object]:
        self.check()
        return partial(_bounded, name, super().filter(name, token))


def _bounded(name: str, function: Callable[..., Any], left: Any, *args: Any, **kwargs: Any) -> Any:
    """Calls a filter on what is small enough, where what comes out is small enough, too."""
    for value in (left, *args, *kwargs.values()):
        _measure(value)
    _foresee(name, left, args)
    return _measure(function(left, *args, **kwargs))


def _foresee(name: str, left: Any, args: tuple[Any, ...]) -> None:
    """Refuses the filters that multiply before they have done so: afterwards the memory is gone."""
    if name in ("replace", "replace_first") and args:
        found = str(left).count(str(args[0]))
        longest = len(str(left)) + found * len(str(args[1]) if len(args) > 1 else "")
    elif name == "join" and isinstance(left, list | tuple | range):
        longest = sum(len(str(item)) for item in left) + len(left) * len(str(args[0]) if args else " ")
    else:
        return
    if longest > _TEXT:
        raise TooMuch(f"`{name}` would make a text of more than {_TEXT} characters")


def _measure(value: Any) -> Any:
    if isinstance(value, str):
        if len(value) > _TEXT:
            raise TooMuch(f"a text is longer than {_TEXT} characters")
    elif isinstance(value, bool):
        pass
    elif isinstance(value, int):
        if value.bit_length() > _BITS:
            raise TooMuch("a number is too large")
    elif isinstance(value, list | tuple | range | dict) and _length(value) > _LIST:
        raise TooMuch(f"a list has more than {_LIST} entries")
    return value


def _length(value: Any) -> int:
    try:
        return len(value)
    except OverflowError:  # a range that no list could hold
        return _LIST + 1


class _Watch(Node):
    """Stands first in the body of every loop and looks at the clock."""

    __slots__ = ()

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        cast(_Context, context).check()
        return 0


class _For(ForNode):
    """`for`, over what is no longer than the limit."""

    __slots__ = ()

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        over = self.expression.iterable.evaluate(context)
        if isinstance(over, list | tuple | range | dict) and _length(over) > _ROUNDS:
            raise TooMuch(f"a loop goes round more than {_ROUNDS} times")
        return super().render_to_output(context, buffer)


class _ForTag(ForTag):
    node_class = _For

    def parse(self, stream: TokenStream) -> Node:
        node = super().parse(stream)
        if isinstance(node, _For):
            node.block.nodes.insert(0, _Watch(node.token))
        return node


class _Print(OutputNode):
    """`{{ }}` in plain text."""

    __slots__ = ()

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        cast(_Context, context).check()
        return buffer.write(to_liquid_string(self.expression.evaluate(context), autoescape=False))


class _PrintEscaped(OutputNode):
    """`{{ }}` in HTML: always escaped, whatever it is made of."""

    __slots__ = ()

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        cast(_Context, context).check()
        return buffer.write(str(escape(to_liquid_string(self.expression.evaluate(context), autoescape=False))))


class _PrintTag(Output):
    node_class = _Print


class _PrintEscapedTag(Output):
    node_class = _PrintEscaped


class _Template(BoundTemplate):
    context_class = _Context


class _Bounded(Environment):
    template_class = _Template
    context_depth_limit = 30
    loop_iteration_limit = _ROUNDS
    local_namespace_limit = 200_000
    output_stream_limit = _OUTPUT


def _environment(output: type[Output], undefined: type[Undefined] = _Missing) -> _Bounded:
    made = _Bounded(undefined=undefined)
    made.tags = {name: tag for name, tag in made.tags.items() if name in _TAGS}
    made.filters = {name: function for name, function in made.filters.items() if name in _FILTERS}
    made.filters |= {"date": _date, "escape": _as_it_is, "address": _address}
    made.add_tag(_ForTag)
    made.add_tag(output)
    return made


@with_context
def _date(value: object, form: object = "%-d %B %Y", *, context: _Context) -> str:
    """A moment or a day in the person's own time zone, by the letters of strftime; nothing is guessed from words."""
    moment = _moment(value)
    if moment is None:
        raise _Advice("`date` needs a date such as 2026-11-24 or 2026-11-24T10:00:00Z", token=None)
    if not isinstance(form, str) or not _FORMAT.match(form):
        raise _Advice("`date` knows the letters of strftime, such as '%-d %B %Y'", token=None)
    if isinstance(moment, datetime):
        return moment.astimezone(context.zone).strftime(form)
    return moment.strftime(form)


def _moment(value: object) -> datetime | date | None:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return value
    if isinstance(value, str):
        with suppress(ValueError):
            return date.fromisoformat(value) if len(value) == 10 else _moment(datetime.fromisoformat(value))
    return None


def _as_it_is(value: Any) -> Any:
    """`escape` from other dialects: here everything is escaped where it must be."""
    return value


def _address(value: object) -> str:
    """Lets a value be where a link leads, if it is a web, mail or telephone address."""
    if isinstance(value, _Named):
        return "#"
    text = str(value).strip()
    if not text.lower().startswith(_SCHEMES) or re.search(r"[\x00-\x20\x7f\\<>\"']", text):
        raise _Advice("a link must lead to an address that begins with https://", token=None)
    return text


_PLAIN = _environment(_PrintTag)
_HTML = _environment(_PrintEscapedTag)
_PLAIN_NAMING = _environment(_PrintTag, _Named)
_HTML_NAMING = _environment(_PrintEscapedTag, _Named)
ROOTS = ("profile", "account", "event", "data", "links", "brand", "topic", "why", "words")
LINKS = ("preferences", "unsubscribe", "feedback")


class Program:
    """A text with Liquid in it, parsed once and filled in for many. Raises `Unsayable` for what it does not know.

    `naming`: what is missing fails nothing, and its name is printed.
    """

    def __init__(self, source: str, *, html: bool = False, naming: bool = False) -> None:
        plain, marked_up = (_PLAIN_NAMING, _HTML_NAMING) if naming else (_PLAIN, _HTML)
        try:
            self._template = (marked_up if html else plain).from_string(source)
        except LiquidError as error:
            raise Unsayable(_sentence(error)) from error

    def check(self) -> None:
        """Raises `Unsayable` for what is sure to fail whoever it is filled in for: names and filters unknown here."""
        found = self._template.analyze()
        for name in found.filters:
            if name not in _PLAIN.filters:
                raise Unsayable(f"there is no filter `{name}`; there are {', '.join(sorted(_PLAIN.filters))}")
        for name, uses in found.globals.items():
            if name not in ROOTS:
                raise Unsayable(
                    f"`{name}` is unknown; values come from `profile`, `account`, `event`, `data` and `links`"
                )
            for use in uses:
                if name == "links" and len(use.segments) > 1 and use.segments[1] not in LINKS:
                    raise Unsayable(f"`{use}` is unknown; there are {', '.join(f'links.{one}' for one in LINKS)}")

    def fill(self, values: Mapping[str, Any], *, zone: ZoneInfo, ends_at: float | None = None) -> str:
        """The text for one person; `Unsayable` if a value is missing or a bound is passed.

        `zone` is where dates are read. `ends_at`, of `time.monotonic()`, is for several that share one end.
        """
        context = _Context(cast(Any, self._template), globals=values)
        context.ends_at, context.zone = ends_at or end(), zone
        buffer = LimitedStringIO(limit=_OUTPUT)
        try:
            self._template.render_with_context(context, buffer)
        except LiquidError as error:
            raise Unsayable(_failure(error)) from error
        except Exception as error:  # a template may meet any value: whatever it stumbles over is its own failure
            raise Unsayable(f"it cannot be filled in ({type(error).__name__})") from error
        return buffer.getvalue()


def end() -> float:
    """When what begins now must have ended."""
    return time.monotonic() + SECONDS


def _failure(error: LiquidError) -> str:
    """Why it cannot be filled in, without a value of the person's in it."""
    said = str(error.message)
    if isinstance(error, UndefinedError):
        name = said.removesuffix(" is undefined").strip("'")
        return f"`{name}` has no value for this person, and the template gives no default"
    if isinstance(error, TooMuch | _Advice | ResourceLimitError):
        return said + _near(error)
    return f"it cannot be worked out ({type(error).__name__})" + _near(error)


def _sentence(error: LiquidError) -> str:
    """Why it cannot be read."""
    return str(error.message or "it cannot be read").strip() + _near(error)


def _near(error: LiquidError) -> str:
    found = error.context()
    return f" (near `{found[3].strip()[:80]}`)" if found and found[3].strip() else ""
