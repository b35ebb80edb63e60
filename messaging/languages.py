"""In which language somebody is spoken to: what a template says in each, and which of them is theirs."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils import translation

from foundation.errors import Problem
from messaging.models import TemplateVersion
from messaging.snippets.inside import Held
from messaging.snippets.models import SnippetVersion

MOST = 30
_TAG = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8}){0,3}\Z")
_RIGHT_TO_LEFT = {"ar", "dv", "fa", "he", "ks", "ku", "ps", "sd", "ug", "ur", "yi"}


@dataclass(frozen=True, slots=True)
class Said:
    """What a version says in one language, Liquid still in it; `language` is empty for the one it was written in."""

    language: str
    subject: str
    blocks: list[Any]
    html: str
    text: str


Spoken = TemplateVersion | SnippetVersion
"""What may speak several languages; a snippet's version has blocks alone."""


def normal(name: object) -> str:
    """A language tag in our one spelling: `pt_BR` is `pt-br`; "" for what is none."""
    tag = name.strip().replace("_", "-").lower() if isinstance(name, str) else ""
    return tag if _TAG.match(tag) else ""


def in_language(version: Spoken, language: str) -> Said | None:
    """What it says in just this language; None if it says nothing in it."""
    if not language:
        return _written(version)
    found = version.translations.get(language)
    return Said(language, *(found.get(name, "") for name in ("subject", "blocks", "html", "text"))) if found else None


def best(version: TemplateVersion, wanted: Iterable[str | None]) -> Said:
    """What it says to somebody who reads these languages, the dearest first.

    `pt-br` is content with `pt`, and `pt` with any Portuguese. Else it is what the template was written in.
    """
    for name in wanted if version.translations else ():
        if (tag := normal(name)) and (found := nearest(version.translations, tag)):
            return in_language(version, found) or _written(version)
    return _written(version)


def _written(version: Spoken) -> Said:
    return Said("", version.subject, version.blocks, version.html, version.text)


def nearest(there: Mapping[str, Any], tag: str) -> str | None:
    """Which of the languages that are there is the one, or near to it."""
    parts = tag.split("-")
    for length in range(len(parts), 0, -1):
        if (shorter := "-".join(parts[:length])) in there:
            return shorter
    return next((one for one in sorted(there) if one.split("-")[0] == parts[0]), None)


def of_snippets(held: Held, language: str) -> dict[str, Any]:
    """What each says in that language, or in one near to it; else as it was written first."""
    found = {}
    for slug, one in held.items():
        near = nearest(one["translations"], language) if language else None
        found[slug] = one["translations"][near]["blocks"] if near else one["blocks"]
    return found


def label(language: str) -> str:
    """What a language is called in English; the tag itself where nobody knows."""
    try:
        return str(translation.get_language_info(language)["name"])
    except KeyError:
        return language


def direction(language: str) -> str:
    return "rtl" if language.split("-")[0] in _RIGHT_TO_LEFT else "ltr"


def problems(translations: Any, has: Collection[str] = ("subject", "blocks")) -> Iterator[Problem]:
    """What is wrong with the shape of translations, apart from what each of them says."""
    if not isinstance(translations, Mapping):
        yield Problem("translations", "must be an object: a language to what is said in it")
        return
    if len(translations) > MOST:
        yield Problem("translations", f"are {len(translations)}; at most {MOST} languages go into one template")
    for language, said in translations.items():
        path = f"translations.{language}"
        if normal(language) != language:
            yield Problem(path, "is no language; write it as de or pt-br")
        if not isinstance(said, Mapping) or set(said) - set(has) or "blocks" not in said:
            yield Problem(path, f"must be an object with {' and '.join(has)}")
