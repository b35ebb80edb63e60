"""SPF (RFC 7208): what is wrong with what a domain says of who may send for it, as far as a look at the DNS tells."""

from dataclasses import dataclass

from messaging.domains.asking import Asker

MOST = 10
"""Look-ups that one record may cost, with all that it takes in; above, receivers give up and it counts as broken."""

_ASKS = {"include", "a", "mx", "ptr", "exists"}
_KNOWN = _ASKS | {"all", "ip4", "ip6"}


@dataclass(frozen=True, slots=True)
class Flaw:
    """`breaks`: mail does not pass because of it."""

    key: str
    says: str
    do: str
    breaks: bool = True


class _Broken(Exception):
    """What is wrong with a record that is taken in."""


def flaws(domain: str, ask: Asker) -> list[Flaw]:
    records = _records(domain, ask)
    if not records:
        says = "There is no SPF record: it says nowhere who may send for the domain."
        return [Flaw("missing", says, f"Publish a TXT record at {domain}, such as: v=spf1 include:your-provider ~all")]
    if len(records) > 1:
        says = f"There are {len(records)} SPF records, and so none counts."
        return [Flaw("twice", says, "Make one of them: all that is in either, with a single v=spf1 and a single all.")]
    count = _Count(ask)
    try:
        end = count.through(records[0])
    except _Broken as broken:
        return [Flaw("broken", f"The SPF record cannot be read: {broken}.", "Correct it; mail does not pass as it is.")]
    if count.asked > MOST:
        says = f"SPF takes more than {MOST} look-ups in the DNS, and so receivers give up on it."
        return [Flaw("long", says, "Take out what does not send for you any more, or put ip4: in place of include:.")]
    return _of_the_end(end)


def _of_the_end(end: str) -> list[Flaw]:
    if end == "+":
        return [Flaw("open", "SPF lets everybody send for the domain (+all).", "Write ~all or -all at its end.")]
    if end in ("?", ""):
        says = "SPF does not say what of those whom it does not name."
        return [Flaw("vague", says, "Write ~all or -all at its end.", breaks=False)]
    return []


def _records(domain: str, ask: Asker) -> list[str]:
    return [one for one in ask.texts(domain) if one.lower() == "v=spf1" or one.lower().startswith("v=spf1 ")]


class _Count:
    """Walks through a record and what it takes in, counting what receivers must look up."""

    def __init__(self, ask: Asker) -> None:
        self._ask = ask
        self.asked = 0

    def through(self, record: str) -> str:
        """How it ends: the sign before `all`, "" where nothing is said."""
        end, redirect = "", ""
        for term in record.split()[1:]:
            sign, rest = (term[0], term[1:]) if term[0] in "+-~?" else ("+", term)
            name, separator, value = _parted(rest)
            if separator == "=":
                redirect = value if name == "redirect" else redirect
                continue
            if name not in _KNOWN:
                raise _Broken(f"“{term}” is nothing that SPF knows")
            if name == "all":
                return sign
            self.asked += name in _ASKS
            if self.asked > MOST:
                return end
            if name == "include":
                self._take_in(value)
        if redirect:
            self.asked += 1
            return self._take_in(redirect) if self.asked <= MOST else end
        return end

    def _take_in(self, domain: str) -> str:
        if "%" in domain:
            return ""  # it depends on who sends
        records = _records(domain, self._ask) if domain else []
        if len(records) != 1:
            raise _Broken(
                f"it takes in {domain or 'nothing'}, which has {'no' if not records else 'more than one'} SPF"
            )
        return self.through(records[0])


def _parted(term: str) -> tuple[str, str, str]:
    """Name, `:` or `=` or "", and value; a length behind a slash is no matter here."""
    for at, letter in enumerate(term):
        if letter in ":=":
            return term[:at].lower(), letter, term[at + 1 :].rstrip(".")
        if letter == "/":
            return term[:at].lower(), "", ""
    return term.lower(), "", ""
