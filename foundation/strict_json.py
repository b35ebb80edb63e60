"""JSON from outside: read in full, and then told what in it cannot be kept.

Reading is lenient where the grammar lets a value be understood (`NaN`, a key given twice, a number of 5,000 digits), so
that one bad value in a body can be refused without its neighbours; `problems` then names each of them.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from foundation.errors import Invalid, Problem

MAX_DEPTH = 16
MAX_KEYS = 500
MAX_KEY_CHARACTERS = 255
MAX_STRING_BYTES = 8_192
MAX_INTEGER = 2**53
MOST_DIGITS = 17  # what tells any two doubles apart; of a fraction with more, the nearest double is kept
_LONGEST_INTEGER = 400  # digits that are worth turning into a number; what has more is refused either way

_SPACE = re.compile(r"[ \t\n\r]*")


class Doubled(dict[str, Any]):
    """An object in which keys were given twice; the last of each is the one that it holds."""

    twice: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Huge:
    """An integer with too many digits to be worth reading."""

    digits: int


class Rounded(float):
    """A fraction of more digits than are kept: the nearest number of those that are."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A value and how many bytes its JSON took as it was sent."""

    value: Any
    size: int


def decode(raw: bytes) -> Any:
    """The value of a JSON text in UTF-8. Raises `Invalid` with a sentence where it is none."""
    text = _text(raw)
    value, end = _value(text, _skip(text, 0))
    _expect_end(text, end)
    return value


def decode_parts(raw: bytes, key: str) -> Any:
    """The same, but where the value is an object with a list under `key`, that list's values come as `Sent`."""
    text = _text(raw)
    start = _skip(text, 0)
    if not text.startswith("{", start):
        return decode(raw)
    return _object(text, start, key)


def encode(value: Any) -> str:
    """The value as JSON of ASCII characters alone, whatever is in it and however deep it is."""
    try:
        return _encoder.encode(value)
    except RecursionError:
        return "".join(_pieces(value))


def size(value: Any) -> int:
    """The bytes of the value as compact JSON in UTF-8."""
    try:
        text = _encoder_to_utf8.encode(value)
    except RecursionError:
        text = "".join(_pieces(value))
    return len(text.encode("utf-8", "surrogatepass"))


def problems(value: Any, path: str = "", deepest: int = MAX_DEPTH) -> list[Problem]:
    """What in the value cannot be kept, each with its path: `properties.items[3].name`. At most one for each place."""
    if _is_plain(value, 1):
        return []
    found: list[Problem] = []
    # A stack and not a recursion: the value may be deeper than Python can follow.
    waiting = [(value, path, 1)]
    while waiting:
        one, where, depth = waiting.pop()
        if isinstance(one, str):
            reason = _wrong_with_text(one, MAX_STRING_BYTES)
        elif one is None or one is True or one is False:
            continue
        elif isinstance(one, (dict, list)):
            if depth > deepest:
                reason = f"It is nested more than {deepest} levels deep; flatten it."
            else:
                reason = _wrong_with_keys(one) if isinstance(one, dict) else ""
                waiting.extend(_children(one, where, depth + 1))
        else:
            reason = _wrong_with_number(one)
        if reason:
            found.append(Problem(where, reason))
    return sorted(found, key=lambda problem: problem.path)


def _is_plain(value: Any, depth: int) -> bool:
    """Whether there is certainly no problem: the quick answer for nearly everything that comes."""
    values: Iterable[Any]
    if type(value) is dict:
        if depth > MAX_DEPTH or len(value) > MAX_KEYS:
            return False
        for key in value:
            if len(key) > MAX_KEY_CHARACTERS or not _is_plain_text(key):
                return False
        values = value.values()
    elif type(value) is list:
        if depth > MAX_DEPTH:
            return False
        values = value
    else:
        values = (value,)
    for one in values:
        kind = type(one)
        if kind is str:
            if not _is_plain_text(one):
                return False
        elif kind is int:
            if not -MAX_INTEGER <= one <= MAX_INTEGER:
                return False
        elif kind is float:
            if not math.isfinite(one):
                return False
        elif one is None or kind is bool:
            continue
        elif (kind is not dict and kind is not list) or not _is_plain(one, depth + 1):
            return False
    return True


def _is_plain_text(text: str) -> bool:
    if text.isascii() and len(text) <= MAX_STRING_BYTES:
        return "\x00" not in text
    return not _wrong_with_text(text, MAX_STRING_BYTES)


def _text(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid.at(
            "", f"The body is not UTF-8: byte {error.start + 1} does not fit. Send JSON in UTF-8."
        ) from None
    if not text.strip():
        raise Invalid.at("", "The body is empty; send a JSON object.")
    return text


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    doubled = Doubled(value)
    seen: set[str] = set()
    doubled.twice = frozenset(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    return doubled


def _integer(digits: str) -> int | Huge:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else Huge(len(digits.lstrip("-")))


def _fraction(text: str) -> float:
    value = float(text)
    if len(text) <= MOST_DIGITS:
        return value
    digits = text.lower().partition("e")[0].lstrip("-").replace(".", "").strip("0")
    return Rounded(value) if len(digits) > MOST_DIGITS else value


_decoder = json.JSONDecoder(object_pairs_hook=_pairs, parse_float=_fraction)
_decoder_of_long_integers = json.JSONDecoder(object_pairs_hook=_pairs, parse_int=_integer, parse_float=_fraction)


def _value(text: str, start: int) -> tuple[Any, int]:
    try:
        try:
            return _decoder.raw_decode(text, start)
        except json.JSONDecodeError:
            raise
        except ValueError:
            # Python refuses to read an integer of more than 4,300 digits.
            return _decoder_of_long_integers.raw_decode(text, start)
    except RecursionError:
        return _deep_value(text, start)
    except json.JSONDecodeError as error:
        raise _no_json(text, error.pos, error.msg[0].lower() + error.msg[1:]) from None


def _object(text: str, start: int, key: str) -> dict[str, Any]:
    """An object from its brace to the end of the text, the list under `key` as `Sent` values."""
    pairs: list[tuple[str, Any]] = []
    at = _skip(text, start + 1)
    while not (text.startswith("}", at) and not pairs):
        name, at = _key(text, at)
        value, at = _sent(text, at) if name == key and text.startswith("[", at) else _value(text, at)
        pairs.append((name, value))
        at = _skip(text, at)
        if text.startswith("}", at):
            break
        at = _skip(text, _expect(text, at, ","))
    _expect_end(text, at + 1)
    return _pairs(pairs)


def _key(text: str, at: int) -> tuple[str, int]:
    """A key of an object, and where its value begins."""
    if not text.startswith('"', at):
        raise _no_json(text, at, "expecting a key in double quotes")
    name, at = _value(text, at)
    return name, _skip(text, _expect(text, _skip(text, at), ":"))


@dataclass(slots=True)
class _Open:
    """An object or list whose end has not been read yet."""

    end: str
    values: list[Any]
    keys: list[str]

    def value(self) -> Any:
        return self.values if self.end == "]" else _pairs(list(zip(self.keys, self.values, strict=True)))


def _deep_value(text: str, at: int) -> tuple[Any, int]:
    """`_value` without recursion, for what is nested deeper than Python can follow."""
    around: list[_Open] = []
    while True:
        if text.startswith(("[", "{"), at):
            inner = _Open("]" if text[at] == "[" else "}", [], [])
            around.append(inner)
            at = _skip(text, at + 1)
            if not text.startswith(inner.end, at):
                at = _begin(inner, text, at)
                continue
            value: Any = around.pop().value()
            at += 1
        else:
            value, at = _value(text, at)
        while around:
            around[-1].values.append(value)
            at = _skip(text, at)
            if not text.startswith(around[-1].end, at):
                at = _begin(around[-1], text, _skip(text, _expect(text, at, ",")))
                break
            value = around.pop().value()
            at += 1
        else:
            return value, at


def _begin(one: _Open, text: str, at: int) -> int:
    """Where its next value begins, its key having been read."""
    if one.end == "}":
        key, at = _key(text, at)
        one.keys.append(key)
    return at


def _sent(text: str, start: int) -> tuple[list[Sent], int]:
    values: list[Sent] = []
    ascii_only = text.isascii()
    at = _skip(text, start + 1)
    while not (text.startswith("]", at) and not values):
        value, end = _value(text, at)
        values.append(Sent(value, end - at if ascii_only else len(text[at:end].encode())))
        at = _skip(text, end)
        if text.startswith("]", at):
            break
        at = _skip(text, _expect(text, at, ","))
    return values, at + 1


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _expect(text: str, at: int, sign: str) -> int:
    if not text.startswith(sign, at):
        raise _no_json(text, at, f"expecting '{sign}'")
    return at + 1


def _expect_end(text: str, at: int) -> None:
    end = _skip(text, at)
    if end != len(text):
        raise _no_json(text, end, "there is something behind its end")


def _no_json(text: str, at: int, what: str) -> Invalid:
    line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    return Invalid.at("", f"The body is not JSON: {what} (line {line}, column {column}).")


def _unreadable(value: Any) -> str:
    return f"(a number of {value.digits} digits)" if isinstance(value, Huge) else str(value)


_encoder = json.JSONEncoder(separators=(",", ":"), default=_unreadable)
_encoder_to_utf8 = json.JSONEncoder(separators=(",", ":"), default=_unreadable, ensure_ascii=False)


def _children(value: Any, path: str, depth: int) -> Iterator[tuple[Any, str, int]]:
    if isinstance(value, dict):
        dot = "." if path else ""
        for key, inner in value.items():
            yield inner, f"{path}{dot}{_shown(key)}", depth
    else:
        for place, inner in enumerate(value):
            yield inner, f"{path}[{place}]", depth


def _shown(key: str) -> str:
    """A key as a path may show it: short, and without what cannot be stored."""
    if len(key) <= 60 and key.isascii() and key.isprintable():
        return key
    short = key[:60].encode("utf-8", "replace").decode()
    return "".join(sign if sign.isprintable() else "?" for sign in short)


def _wrong_with_text(text: str, most: int) -> str:
    if "\x00" in text:
        return "It contains the NUL character (\\u0000); leave it out."
    if text.isascii():
        size = len(text)
    else:
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            return "It contains half of a surrogate pair (\\ud800 to \\udfff), which is no character; send whole ones."
    return f"It is a text of {size:,} bytes; the most is {most:,}." if size > most else ""


def _wrong_with_keys(value: dict[Any, Any]) -> str:
    if isinstance(value, Doubled):
        return f"It has the key {_shown(min(value.twice))!r} twice; give each once."
    if len(value) > MAX_KEYS:
        return f"It has {len(value):,} keys; the most is {MAX_KEYS}."
    for key in value:
        if len(key) > MAX_KEY_CHARACTERS:
            return f"It has a key of {len(key):,} characters; the most is {MAX_KEY_CHARACTERS}."
        if reason := _wrong_with_text(key, MAX_STRING_BYTES):
            return f"One of its keys cannot be kept. {reason}"
    return ""


def _wrong_with_number(value: Any) -> str:
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            return "It is an integer beyond 2^53, which not every program keeps exactly; send it as text."
        return ""
    if isinstance(value, float):
        return "" if math.isfinite(value) else "It is not a finite number; leave it out or send null."
    if isinstance(value, Huge):
        return f"It is a number of {value.digits:,} digits; send it as text."
    return f"It is of a type that JSON does not have ({type(value).__name__})."


def _pieces(value: Any) -> Iterator[str]:
    """`encode` without recursion."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, _Piece):
            yield one
        elif isinstance(one, dict):
            inner: list[Any] = [_Piece("{")]
            for place, (key, item) in enumerate(one.items()):
                inner += [_Piece(f"{',' if place else ''}{json.dumps(key)}:"), item]
            waiting.extend(reversed([*inner, _Piece("}")]))
        elif isinstance(one, list):
            inner = [_Piece("[")]
            for place, item in enumerate(one):
                inner += [_Piece(","), item] if place else [item]
            waiting.extend(reversed([*inner, _Piece("]")]))
        else:
            yield json.dumps(one, default=_unreadable)


class _Piece(str):
    """Text that is JSON already."""
