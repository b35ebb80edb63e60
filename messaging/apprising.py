"""Handing over through Apprise: which addresses of providers are taken, and what is known after it said yes or no.

Apprise tells in its answer only whether all went well, and why not in its log. That is read here, in this thread
alone: a provider's code is a definite answer, a connection that was never made a definite no for now, and all else is
in doubt.
"""

import logging
import re
import threading
import warnings
from functools import lru_cache
from typing import Any

from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType
from django.conf import settings

from messaging.delivery import About, Accepted, InDoubt, Later, Outcome, Returned

_log = logging.getLogger("apprise")
# It says what is sent, and to whom: what matters of it is told with the message, and the rest to nobody.
_log.setLevel(logging.DEBUG)
_log.propagate = False

# What stays on this machine: it would reach whoever runs it, and nobody else.
_LOCAL = {"dbus", "gio", "glib", "gnome", "growl", "kde", "macosx", "qt", "syslog", "windows"}
_CODE = re.compile(r"\berror=(\d{3})\b")
_UNMADE = re.compile(r"NewConnectionError|ConnectTimeout|NameResolutionError|Connection refused|ProxyError|SSLError")
_DOWN = {408, 425, 429, 503}


def flaw(url: str) -> str:
    """What is wrong with the address of a provider, as Apprise writes them; "" where nothing is.

    A provider whose place is fixed may be named freely; an address that names a host of its own may lead anywhere, so
    that host must be one that the operator named in OUTGOING_HOSTS (SS-01).
    """
    found = _provider(url)
    if found is None:
        return "must be the address of a provider as Apprise writes it, such as slack://… or twilio://…"
    scheme = url.partition(":")[0].lower()
    if scheme in _LOCAL:
        return "must be a provider on the net: this one would stay on our machine"
    if "host" in found.template_tokens and not _is_trusted(found):
        return (
            "must name a provider of its own: this one leads to a host of anybody's, and the operator has to name"
            " that host in OUTGOING_HOSTS first"
        )
    return ""


@lru_cache(maxsize=1)
def _load() -> None:
    """Has Apprise look through its providers, which takes a while; what it warns of then is none of our code."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        Apprise.instantiate("json://localhost")


def _provider(url: str) -> Any:
    _load()
    asset = AppriseAsset(async_mode=False, secure_logging=True, app_id="Cairn", app_desc="Cairn")
    return Apprise.instantiate(url, asset=asset, suppress_exceptions=True)


def _is_trusted(found: Any) -> bool:
    host = str(found.host or "").lower()
    port = found.port or (443 if found.secure else 80)
    return bool({host, f"{host}:{port}"} & {named.lower() for named in settings.OUTGOING_HOSTS})


def send(url: str, body: str, *, title: str = "") -> Outcome:
    """Hands these words to the provider; never raises for what it does."""
    wrong = flaw(url)
    if wrong:
        return Later(f"The provider's address {wrong}.", About.CHANNEL)
    found = _provider(url)
    found.redirects = False  # what was looked at is the address that was given
    with _Heard() as heard:
        went_well = found.notify(body=body, title=title, notify_type=NotifyType.INFO, body_format=NotifyFormat.TEXT)
    return Accepted() if went_well else _judged(heard.lines)


class _Heard(logging.Handler):
    """What Apprise says in this thread within the block."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.lines.append(record.getMessage())

    def __enter__(self) -> "_Heard":
        _log.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        _log.removeHandler(self)


def _judged(lines: list[str]) -> Outcome:
    codes = [int(found[1]) for line in lines if (found := _CODE.search(line))]
    if codes:
        code = codes[-1]
        said = f"The provider answered {code}."
        if code in _DOWN:
            return Later(said, About.CHANNEL)
        if code in (401, 403):
            return Later(f"{said} It does not know us: its address on the page Channels may be wrong.", About.CHANNEL)
        return InDoubt(said) if code >= 500 else Returned(said)
    if any(_UNMADE.search(line) for line in lines):
        return Later("The provider could not be reached.", About.CHANNEL)
    return InDoubt("The provider did not say that it took it, nor that it did not.")
