"""One template, several languages: which of them is being written, and where the others are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.conf.locale import LANG_INFO
from django.http import HttpRequest

from foundation.admin import page_of
from messaging import languages
from messaging.languages import Said, Spoken
from messaging.models import Template
from messaging.snippets.models import Snippet


@dataclass(frozen=True)
class Tongue:
    """A language with the address where it is written."""

    name: str
    address: str
    is_here: bool


@dataclass(frozen=True)
class Tongues:
    """The languages of a template, the first of them the one for everybody whose language is not among the others."""

    there: Sequence[Tongue]
    others: Sequence[tuple[str, str]]
    here: str
    name: str
    is_new: bool


def asked_for(request: HttpRequest, row: Template | Snippet | None) -> str:
    """The language that the address names; "" for the one that the row was written in."""
    return languages.normal(request.GET.get("language", "")) if row and row.version else ""


def said(version: Spoken | None, language: str) -> Said | None:
    """What the version says in the language; where it says nothing yet, what is to be translated."""
    if version is None:
        return None
    return languages.in_language(version, language) or languages.in_language(version, "")


def with_said(version: Spoken | None, language: str, subject: str, blocks: Any) -> dict[str, Any]:
    """What to save, with what was written in this language in its place."""
    if version is None or not language:
        return {"subject": subject, "blocks": blocks}
    others = {**version.said_in_others, language: {"subject": subject, "blocks": blocks}}
    return {"subject": version.subject, "blocks": version.blocks, "translations": others}


def without(version: Spoken | None, language: str) -> dict[str, Any]:
    """What to save once it is no longer said in this language."""
    others = {tag: one for tag, one in (version.said_in_others if version else {}).items() if tag != language}
    return {
        "subject": version.subject if version else "",
        "blocks": version.blocks if version else [],
        "translations": others,
    }


def of(row: Template | Snippet | None, here: str) -> Tongues | None:
    """All of a template's, or a snippet's, and those that may be added; None before it was saved for the first time."""
    version = row.version if row else None
    if row is None or version is None:
        return None
    there = sorted({*version.translations, here} - {""}, key=languages.label)
    address = page_of(row).replace("/change/", "/edit/")
    tongues = [Tongue("As written first", address, not here)]
    tongues += [Tongue(languages.label(tag), f"{address}?{urlencode({'language': tag})}", tag == here) for tag in there]
    known = ((tag, str(info["name"])) for tag, info in LANG_INFO.items() if "name" in info and tag not in there)
    others = sorted(known, key=lambda one: one[1])
    return Tongues(
        tongues, others, here, languages.label(here) if here else "", here not in {"", *version.translations}
    )
