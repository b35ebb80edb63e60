"""What a report means: codes first, then what the provider calls it, words last (BO-01 to BO-08).

The enhanced status code (RFC 3463) decides where there is one that says anything: servers write 550 beside 4.2.2 and
mean the latter. A sender's problem never counts against the address.
"""

import re

from messaging.returns.models import Meaning

_ENHANCED = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_BASIC = re.compile(r"(?<![\d.])([45]\d\d)(?![\d.])")

_NO_ADDRESS = {"1.1", "1.2", "1.3", "1.6", "1.10", "2.1"}
_CONTENT = {"2.3", "3.4"}
_SENDER = {"1.7", "1.8"}

# What is told by what it is called, whatever else it says.
_BY_KIND = {
    "queued": Meaning.NOTHING,
    "sent": Meaning.SENT,
    "relayed": Meaning.NOTHING,
    "expanded": Meaning.NOTHING,
    "delivered": Meaning.DELIVERED,
    "opened": Meaning.OPENED,
    "clicked": Meaning.CLICKED,
    "complained": Meaning.COMPLAINED,
    "unsubscribed": Meaning.UNSUBSCRIBED,
    "subscribed": Meaning.NOTHING,  # recorded, and no consent: a provider's word is no act of the person (BO-06)
    "autoresponded": Meaning.REPLIED,
    "not-spam": Meaning.NOTHING,
}
_BY_REASON = {
    "invalid": Meaning.NO_ADDRESS,
    "bounced": Meaning.NO_ADDRESS,
    "timed_out": Meaning.FULL,
    "blocked": Meaning.SENDER,
    "spam": Meaning.SENDER,
}
# Of what the provider did not even try: its own list says no, and ours will from now on.
_BY_REFUSAL = {
    "invalid": Meaning.NO_ADDRESS,
    "bounced": Meaning.LISTED,
    "timed_out": Meaning.FULL,
    "blocked": Meaning.LISTED,
    "spam": Meaning.LISTED,
    "unsubscribed": Meaning.LISTED,
}


def _words(*phrases: str) -> re.Pattern[str]:
    return re.compile("|".join(phrases), re.IGNORECASE)


_BY_WORDS = (
    (
        Meaning.SENDER,
        _words(
            r"\bspam", r"block(?:ed|list)", r"black\s?list", r"\bdnsbl\b", r"spamhaus", r"reputation", r"\bdmarc\b",
            r"\bdkim\b", r"\bspf\b", r"not authenticated", r"authentication", r"polic(?:y|ies)",
            r"relay(?:ing)? (?:not|denied|access)",
            r"rate.?limit", r"too many (?:messages|connections|recipients)", r"greylist", r"access denied",
            r"unsolicited", r"verdächtig", r"pourriel", r"correo no deseado", r"no route",
            r"host (?:unknown|not found)",
        ),
    ),
    (
        Meaning.FULL,
        _words(
            r"(?:mailbox|inbox|account|quota)[\w\s'’]{0,30}(?:full|exceed|over)", r"over ?quota", r"quota exceeded",
            r"insufficient (?:system )?storage", r"out of (?:storage|space)", r"postfach[\w\s]{0,20}voll",
            r"boîte[\w\s-]{0,30}pleine",
            r"buz[oó]n[\w\s]{0,20}lleno", r"casella[\w\s]{0,20}piena", r"temporar", r"try (?:again|later)",
            r"timed? ?out",
            r"delivery time expired", r"retry timeout", r"邮箱已满", r"переполнен",
        ),
    ),
    (
        Meaning.CONTENT,
        _words(
            r"(?:message|mail)[\w\s]{0,20}(?:too (?:large|big)|size)", r"size limit", r"nachricht[\w\s]{0,20}zu gro",
            r"trop volumineux",
            r"virus", r"malformed", r"line too long", r"attachment",
        ),
    ),
    (
        Meaning.NO_ADDRESS,
        _words(
            r"no such", r"unknown (?:user|recipient|mailbox|address|local.?part)",
            r"(?:user|recipient|mailbox|address|account|local.?part)[\w\s<>@.'’+-]{0,80}"
            r"(?:unknown|not found|does ?n.?t exist|does not exist|not exist|invalid|unavailable|disabled|inactive)",
            r"invalid (?:recipient|mailbox|address)", r"no mailbox", r"does ?n.t have an? [\w.]+ account",
            r"isn.t our customer", r"unrouteable address",
            r"nicht (?:bekannt|gefunden|vorhanden)", r"existiert nicht", r"unbekannte[rn]? (?:benutzer|empf)",
            r"inconnu", r"n['’]existe pas",
            r"desconocido", r"no existe", r"sconosciut", r"non esiste", r"用户不存在", r"não existe", r"nie istnieje",
            r"не существует", r"存在しません",
        ),
    ),
)  # fmt: skip


def of(kind: str, *, status: str = "", said: str = "", reason: str = "") -> Meaning:
    """What a report means. `kind` as Anymail names events, or the action of a DSN; `reason` Anymail's reject reason."""
    if kind in _BY_KIND:
        return _BY_KIND[kind]
    if kind in ("deferred", "delayed"):
        return Meaning.SLOWED if _of_code(status, said) is Meaning.SENDER else Meaning.DELAYED
    if kind == "rejected":
        return _BY_REFUSAL.get(reason, Meaning.CONTENT)
    if kind in ("bounced", "failed"):
        by_code = _of_code(status, said)
        if by_code is not None:
            return by_code
        if kind == "bounced" and reason in _BY_REASON:
            return _BY_REASON[reason]
        return _of_words(said) or _of_basic(said) or Meaning.UNKNOWN
    return Meaning.UNKNOWN


def codes_in(*texts: str) -> str:
    """The first enhanced code that says more than its class; else one that says just that; else ""."""
    found = [match for text in texts for match in _ENHANCED.finditer(text)]
    telling = next((match for match in found if match[2] != "0" or match[3] != "0"), None)
    match = telling or (found[0] if found else None)
    return f"{match[1]}.{int(match[2])}.{int(match[3])}" if match else ""


def _of_code(status: str, said: str) -> Meaning | None:
    code = codes_in(status, said)
    if re.match(r"\s*(?:smtp;\s*)?421\b", said, re.IGNORECASE):
        return Meaning.SENDER
    if not code:
        return None
    kind, _, detail = code.partition(".")
    if detail == "0.0":
        return Meaning.FULL if kind == "4" and not _of_words(said) else None
    subject = detail.split(".")[0]
    if subject == "7" or detail in _SENDER:
        return Meaning.SENDER
    if kind == "4" or detail == "2.2":
        return Meaning.FULL
    if kind == "2":
        return None
    if detail in _NO_ADDRESS:
        return Meaning.NO_ADDRESS
    if subject == "4":
        return Meaning.SENDER
    if detail in _CONTENT or subject == "6":
        return Meaning.CONTENT
    return None


def _of_words(said: str) -> Meaning | None:
    return next((meaning for meaning, words in _BY_WORDS if words.search(said)), None)


def _of_basic(said: str) -> Meaning | None:
    found = _BASIC.search(said)
    if found is None:
        return None
    if found[1] == "421":
        return Meaning.SENDER
    if found[1].startswith("4") or found[1] == "552":
        return Meaning.FULL
    return Meaning.SENDER if found[1] == "554" else None
