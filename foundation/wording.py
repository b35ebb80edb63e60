"""How moments, amounts, states and stored values read to people: in words, never as JSON or ids."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any, Literal

from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from foundation import clock

Tone = Literal["good", "warn", "bad", "calm", "plain"]

_reading_at: ContextVar[datetime | None] = ContextVar("reading_at", default=None)
_UNITS = (
    ("year", 31_536_000),
    ("month", 2_592_000),
    ("week", 604_800),
    ("day", 86_400),
    ("hour", 3_600),
    ("minute", 60),
)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})\Z")
_DEPTH = 6
_LONG = 400


@contextmanager
def read_at(moment: datetime) -> Iterator[None]:
    """Within the block, "3 hours ago" is told from `moment`: one page speaks of one now."""
    token = _reading_at.set(moment)
    try:
        yield
    finally:
        _reading_at.reset(token)


def now() -> datetime:
    return _reading_at.get() or clock.now()


def plural(n: int, one: str, many: str = "") -> str:
    """`1 person`, `2,048 people`: the number with the word that fits it."""
    return f"{amount(n)} {one if n == 1 else many or one + 's'}"


def amount(n: float) -> str:
    return str(number_format(n, use_l10n=True, force_grouping=True))


def span(length: timedelta) -> str:
    """The length in its largest whole unit: `3 hours`, `2 days`."""
    seconds = int(abs(length.total_seconds()))
    for unit, size in _UNITS:
        if seconds >= size:
            return plural(seconds // size, unit)
    return plural(seconds, "second")


def ago(at: datetime) -> str:
    """`at` as told from now: `just now`, `3 hours ago`, `in 2 days`."""
    away = now() - at
    if abs(away) < timedelta(seconds=5):
        return "just now"
    return f"{span(away)} ago" if away > timedelta(0) else f"in {span(away)}"


def exact(at: datetime) -> str:
    """The moment in the reader's time zone, to the second only where it is recent enough to matter."""
    local = timezone.localtime(at)
    return f"{local.day} {local:%b %Y, %H:%M}"


def moment(at: datetime | None, empty: str = "never") -> SafeString:
    """A moment both ways: relative for the eye, exact for the record."""
    if at is None:
        return format_html('<span class="c-quiet">{}</span>', empty)
    return format_html(
        '<time class="c-moment" datetime="{}" title="{}">{} <span class="c-exact">{}</span></time>',
        at.isoformat(),
        f"{timezone.localtime(at):%A %d %B %Y, %H:%M:%S %Z}",
        ago(at),
        exact(at),
    )


def badge(text: object, tone: Tone = "plain") -> SafeString:
    return format_html('<span class="c-badge c-{}">{}</span>', tone, text)


def link(text: object, address: str) -> SafeString:
    """A link whose text runs in its own direction: a name in Hebrew turns nothing around it."""
    return format_html('<a class="c-link" href="{}"><bdi>{}</bdi></a>', address, text)


def quiet(text: object) -> SafeString:
    return format_html('<span class="c-quiet">{}</span>', text)


def wide(text: object) -> SafeString:
    """A sentence in a list: given room, and wrapped rather than cut."""
    return format_html('<bdi class="c-wide">{}</bdi>', shortened(str(text), 200))


def shortened(text: str, limit: int = _LONG) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… ({amount(len(text))} characters)"


def spoken(name: str) -> str:
    """`report_exported` as `Report exported`."""
    words = re.sub(r"[_\-.\s]+", " ", name.lstrip("$")).strip()
    return words[:1].upper() + words[1:] if words else name


def readable(value: Any, depth: int = 0) -> SafeString:
    """Any stored value in words: yes and no, dates, lists, and a list of terms for what has parts."""
    if value is None or value in ("", [], {}):
        return quiet("empty")
    if isinstance(value, bool):
        return format_html("{}", "Yes" if value else "No")
    if isinstance(value, Mapping) and depth < _DEPTH:
        return terms(value, depth)
    if isinstance(value, list) and depth < _DEPTH:
        return _listed(value, depth)
    return _plain(value)


def _plain(value: Any) -> SafeString:
    if isinstance(value, int | float):
        # Grouping makes "2,026" of a year and of an order's number, so numbers stand as they came.
        return format_html("<bdi>{}</bdi>", value)
    text = str(value) if not isinstance(value, Mapping | list) else "more, too deep to show"
    if _MOMENT.match(text):
        try:
            return format_html("<bdi>{}</bdi>", exact(datetime.fromisoformat(text)))
        except (ValueError, OverflowError):
            pass
    return format_html("<bdi>{}</bdi>", shortened(text))


def _listed(values: list[Any], depth: int) -> SafeString:
    shown = values[:50]
    more = [quiet(f"and {amount(len(values) - 50)} more")] if len(values) > 50 else []
    items = [*(readable(value, depth + 1) for value in shown), *more]
    if any(isinstance(value, Mapping | list) for value in shown):
        return format_html(
            '<ul class="c-list">{}</ul>', format_html_join("", "<li>{}</li>", ((item,) for item in items))
        )
    return format_html_join(", ", "{}", ((item,) for item in items))


def terms(values: Mapping[str, Any], depth: int = 0, hide: Iterable[str] = ()) -> SafeString:
    """A mapping as a list of names and what they hold, without the names in `hide`."""
    hidden = set(hide)
    rows = [(name, readable(value, depth + 1)) for name, value in values.items() if name not in hidden]
    if not rows:
        return SafeString("")
    return format_html(
        '<dl class="c-terms">{}</dl>',
        format_html_join("", "<div><dt><bdi>{}</bdi></dt><dd>{}</dd></div>", rows),
    )
