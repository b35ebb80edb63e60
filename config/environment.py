"""Reads the environment: what is not set has a default, and what is set wrongly stops the start with a sentence."""

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import environ
from django.core.exceptions import ImproperlyConfigured

_YES, _NO = {"1", "true", "yes", "on"}, {"", "0", "false", "no", "off"}


def text(name: str, default: str = "") -> str:
    """The variable's value, or `default` where it is unset or empty."""
    return os.environ.get(name, "").strip() or default


def number(name: str, default: int, *, least: int = 0) -> int:
    found = text(name, str(default))
    if not found.isdecimal() or int(found) < least:
        raise ImproperlyConfigured(f"{name} is {found!r}; it must be a whole number of at least {least}.")
    return int(found)


def flag(name: str, default: bool = False) -> bool:
    if name not in os.environ:
        return default
    found = os.environ[name].strip().lower()
    if found not in _YES | _NO:
        raise ImproperlyConfigured(f"{name} is {found!r}; say 'true' or 'false'.")
    return found in _YES


def words(name: str, default: list[str]) -> list[str]:
    """A list, its items parted by commas."""
    return [word.strip() for word in text(name).split(",") if word.strip()] or default


def choice(name: str, among: tuple[str, ...]) -> str:
    """One of `among`, of which the first is the default."""
    found = text(name, among[0])
    if found not in among:
        *others, last = (repr(one) if one else "unset" for one in among)
        raise ImproperlyConfigured(f"{name} is {found!r}; it may be {', '.join(others)} or {last}.")
    return found


def origin(name: str, default: str) -> str:
    """An address such as https://crm.example.com, without a path."""
    found = text(name, default).rstrip("/")
    parts = urlsplit(found)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query:
        raise ImproperlyConfigured(f"{name} is {found!r}; it must be like https://crm.example.com, without a path.")
    return found


def apart(name: str, origin_: str) -> str:
    """An address of the same kind under another host name than `origin_`; "" where it is unset."""
    if not text(name):
        return ""
    found = origin(name, "")
    if urlsplit(found).hostname == urlsplit(origin_).hostname:
        raise ImproperlyConfigured(
            f"{name} is {found!r}, which has the same name as {origin_}: cookies know no ports. Give it another name,"
            " such as https://admin.example.com, or leave it out."
        )
    if urlsplit(found).scheme != urlsplit(origin_).scheme:
        raise ImproperlyConfigured(f"{name} is {found!r}, the other {origin_}: both must begin with the same scheme.")
    return found


def zone(name: str, default: str) -> str:
    found = text(name, default)
    try:
        ZoneInfo(found)
    except (ZoneInfoNotFoundError, ValueError):
        raise ImproperlyConfigured(
            f"{name} is {found!r}, which is no time zone; write it as in Europe/Vienna."
        ) from None
    return found


def country_code(name: str) -> str:
    """The code of a country for telephone numbers, without the `+`; "" where it is unset."""
    found = text(name).removeprefix("+")
    if found and not re.fullmatch(r"[1-9][0-9]{0,2}", found):
        raise ImproperlyConfigured(f"{name} is {found!r}, which is no country's code; write it as in 49.")
    return found


def secret(name: str, made: Callable[[], str] | None) -> str:
    """A secret that is set, or one that `made` makes; where nothing may make it, it must be set."""
    found = text(name)
    if not found and made is None:
        raise ImproperlyConfigured(
            f"{name} is not set. With DATABASE_URL set it is required: nothing makes it up for you."
        )
    return found or (made() if made else "")


def keys(name: str, found: str) -> dict[str, str]:
    """A ring of keys: a JSON object of key id to key, as `found` says it."""
    try:
        ring = json.loads(found)
    except ValueError:
        ring = None
    good = isinstance(ring, dict) and ring and all(isinstance(key, str) and len(key) >= 16 for key in ring.values())
    if not good:
        raise ImproperlyConfigured(
            f'{name} must be a JSON object of key id to key, each key of at least 16 characters: {{"1": "…"}}.'
        )
    return dict(ring)


def database(name: str) -> dict[str, Any]:
    """Where a PostgreSQL is, as Django wants it: postgres://user:password@host:port/name?sslmode=require."""
    scheme = urlsplit(text(name)).scheme
    if scheme not in ("postgres", "postgresql"):
        # Not the value: it holds a password.
        raise ImproperlyConfigured(
            f"{name} must begin with postgres://, since Cairn needs PostgreSQL, and not with {scheme!r}."
        )
    found = dict(environ.Env.db_url_config(text(name)))
    return {**found, "HOST": unquote(found["HOST"])}  # %2Fvar%2Frun%2Fpostgresql is the folder of a unix socket


def json_object(name: str) -> dict[str, Any]:
    """A JSON object; empty where it is unset."""
    try:
        found = json.loads(text(name, "{}"))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ImproperlyConfigured(f'{name} must be a JSON object, such as {{"POSTMARK_SERVER_TOKEN": "…"}}.')
    return dict(found)


def address(name: str) -> str:
    """An email address; "" where it is unset. Its local part has room for what is added to it."""
    found = text(name)
    local, at, domain = found.rpartition("@")
    if found and not (at and "." in domain and re.fullmatch(r"[a-z0-9._-]{1,20}", local) and "+" not in found):
        raise ImproperlyConfigured(
            f"{name} is {found!r}; it must be like bounces@mail.example.com, with at most 20 small letters at first."
        )
    return found


@dataclass(frozen=True)
class Mail:
    """How mail leaves: a Django backend, with a folder or a server where it needs one."""

    backend: str
    folder: str | None = None
    host: str = "localhost"
    port: int = 25
    user: str = ""
    password: str = ""
    ssl: bool = False
    starttls: bool = False


def _is_known(provider: str) -> bool:
    return find_spec(f"anymail.backends.{provider}") is not None


_BACKEND = "django.core.mail.backends"
_PORTS = {"smtp": 25, "smtps": 465, "smtp+tls": 587}


def mail(name: str, default: str) -> Mail:
    """smtp://user:password@host:port, smtps:// (TLS), smtp+tls:// (STARTTLS), file:///folder or console://.

    anymail://postmark hands it to that provider's API, as Anymail calls it.
    """
    parts = urlsplit(text(name, default))
    if parts.scheme == "console":
        return Mail(f"{_BACKEND}.console.EmailBackend")
    if parts.scheme == "file" and parts.path.startswith("/"):
        return Mail(f"{_BACKEND}.filebased.EmailBackend", folder=unquote(parts.path))
    if parts.scheme == "anymail" and re.fullmatch(r"[a-z][a-z_]{1,30}", parts.netloc) and _is_known(parts.netloc):
        return Mail(f"anymail.backends.{parts.netloc}.EmailBackend")
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in _PORTS or not parts.hostname or port == -1:
        raise ImproperlyConfigured(
            f"{name} must be smtp://, smtps:// or smtp+tls:// with user:password@host:port, file:///folder, console://,"
            " or anymail://postmark or another provider that Anymail knows."
        )
    return Mail(
        f"{_BACKEND}.smtp.EmailBackend",
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        ssl=parts.scheme == "smtps",
        starttls=parts.scheme == "smtp+tls",
    )
