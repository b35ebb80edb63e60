"""Text messages: what a phone number looks like, and how many parts a text is sent in and paid for."""

import re
from dataclasses import dataclass

from foundation import phones

_SPACING = re.compile(r"[\s().\-/\u00a0\u2010-\u2015]")
_DIALLED = re.compile(r"\+?[0-9]+\Z")

# GSM 03.38: its plain alphabet, and what takes an escape before it and so counts twice.
_PLAIN = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_ESCAPED = frozenset("^{}\\[~]|€\f")
_ONE, _MANY = {"GSM-7": 160, "UCS-2": 70}, {"GSM-7": 153, "UCS-2": 67}  # a part of several begins with a header

STOP = re.compile(r"\b(stop|stopp|arret|arrêt|alto|baja|cancel|unsubscribe|abmelden)\b", re.IGNORECASE)


def number(phone: str | None) -> str:
    """The number in E.164, without what people write between its digits; "" where nobody knows its country's code."""
    bare = _SPACING.sub("", phone or "")
    return phones.international(phone or "") if _DIALLED.match(bare) else ""


@dataclass(frozen=True, slots=True)
class Size:
    """How long a text is on its way: in which alphabet, in units of it, in so many parts."""

    alphabet: str
    units: int
    parts: int


def size(text: str) -> Size:
    if all(letter in _PLAIN or letter in _ESCAPED for letter in text):
        widths = [2 if letter in _ESCAPED else 1 for letter in text]
        return _size("GSM-7", widths)
    return _size("UCS-2", [len(letter.encode("utf-16-be")) // 2 for letter in text])


def _size(alphabet: str, widths: list[int]) -> Size:
    """A letter of two units is never parted, so it may begin the next part early."""
    units = sum(widths)
    if units <= _ONE[alphabet]:
        return Size(alphabet, units, 1 if units else 0)
    parts, left = 1, _MANY[alphabet]
    for width in widths:
        if width > left:
            parts, left = parts + 1, _MANY[alphabet]
        left -= width
    return Size(alphabet, units, parts)
