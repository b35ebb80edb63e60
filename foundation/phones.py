"""Telephone numbers: one spelling for all that ring at the same place, where that can be known."""

import re

from django.conf import settings

E164 = re.compile(r"\+[1-9]\d{6,14}\Z")
_BETWEEN = re.compile(r"[^0-9+]")
# What stands before a number that is dialled within its country, and goes when the country's code comes before it. Of
# the others it is a 0; of some it is nothing, and a 0 at the beginning belongs to the number.
_NONE = ("30", "34", "39", "45", "47", "48", "65", "351", "352", "354", "356", "371", "372", "420", "852")
_TRUNK = {"1": "1", "7": "8", "36": "06", **dict.fromkeys(_NONE, "")}
_SHORTEST = 7  # digits of a number with its area; less is a short code, which no country's code makes longer


def bare(number: str) -> str:
    """The number without what people write between its digits, with `+` for `00`: still as it was dialled."""
    plain = re.sub(r"\A00", "+", _BETWEEN.sub("", number))
    # As in +49 (0) 30: a 0 that is dialled within the country only.
    return re.sub(r"\A00", "+", _BETWEEN.sub("", number.replace("(0)", ""))) if plain.startswith("+") else plain


def international(number: str) -> str:
    """The number in E.164; "" where it says no country and `PHONE_COUNTRY_CODE` says none either."""
    plain = bare(number)
    if not plain.startswith("+"):
        plain = _from_within(plain, settings.PHONE_COUNTRY_CODE)
    return plain if E164.match(plain) else ""


def spellings(number: str) -> list[str]:
    """The digits by which somebody may be known who has this number: with its country's code, and as dialled within."""
    plain = international(number)
    code = settings.PHONE_COUNTRY_CODE
    found = {(plain or bare(number)).removeprefix("+")}
    if code and plain.startswith(f"+{code}"):
        found.add(_TRUNK.get(code, "0") + plain.removeprefix(f"+{code}"))
    return sorted(found)


def _from_within(digits: str, code: str) -> str:
    trunk = _TRUNK.get(code, "0")
    if not code or len(digits) < _SHORTEST:
        return ""
    if trunk and digits.startswith(trunk):
        return f"+{code}{digits.removeprefix(trunk)}"
    if digits.startswith(code) and len(digits) > len(code) + 8:
        return f"+{digits}"  # the code is there, and the + was lost on the way
    # Without a 0 before it, it may be a number of any country: only where none is dialled it is clear.
    return f"+{code}{digits}" if not trunk or code == "1" else ""
