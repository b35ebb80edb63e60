"""The customer's pages in every language that they offer: complete, compiled, and as frank as the English."""

import io
import re
from collections.abc import Iterator
from gettext import GNUTranslations
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_python
from babel.messages.pofile import read_po
from django.conf import settings
from django.utils import translation
from django.utils.translation.template import templatize

ROOT = Path(__file__).parent.parent.parent
LANGUAGES = [code for code, _ in settings.LANGUAGES if code != settings.LANGUAGE_CODE]
# EDPB 03/2022: no guilt, no second thoughts.
STIRRING = {
    "en": r"sorry|miss you|are you sure|please stay|lose|regret|goodbye",
    "de": r"schade|vermissen|wirklich sicher|bleiben sie|verpassen|bedauern|leider",
    "fr": r"désolé|manquer|êtes-vous sûr|restez|perdre|regrett|dommage",
    "es": r"lástima|echar de menos|está seguro|quédese|perder|lament|adiós",
}


def said() -> Iterator[Any]:
    """Every text that the pages can say: a string, or singular and plural."""
    sources = {path: path.read_text() for path in (ROOT / "consent").glob("*.py")}
    sources |= {path: templatize(path.read_text()) for path in (ROOT / "templates" / "consent").glob("*.html")}
    for source in sources.values():
        words = dict.fromkeys(["_", "gettext", "gettext_noop", "ngettext"])
        for _, function, found, _ in extract_python(io.BytesIO(source.encode()), words, [], {}):
            texts = (found,) if isinstance(found, str) else found or ()
            if texts and texts[0]:
                yield tuple(texts[:2]) if function == "ngettext" else texts[0]


def catalogue(language: str) -> Catalog:
    path = ROOT / "consent" / "locale" / language / "LC_MESSAGES" / "django.po"
    return read_po(io.BytesIO(path.read_bytes()), locale=language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_PP08_nothing_is_left_untranslated_and_nothing_is_translated_in_vain(language: str) -> None:
    known = {message.id: message for message in catalogue(language) if message.id}
    assert set(known) == set(said())
    for message in known.values():
        texts = [str(text) for text in message.string] if isinstance(message.string, tuple) else [str(message.string)]
        assert all(texts), message.id
        assert not list(message.check(catalogue(language))), message.id
        for text in texts:
            assert set(re.findall(r"%\(\w+\)s|%s|%d|</?\w+", text)) == set(
                re.findall(r"%\(\w+\)s|%s|%d|</?\w+", message.id if isinstance(message.id, str) else message.id[0])
            ), message.id


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_catalogue_is_that_of_its_source(language: str) -> None:
    path = ROOT / "consent" / "locale" / language / "LC_MESSAGES" / "django.mo"
    with path.open("rb") as file:
        compiled = GNUTranslations(file)
    for message in catalogue(language):
        if isinstance(message.id, str) and message.id:
            assert compiled.gettext(message.id) == message.string
        elif message.id:
            one, many = message.id
            assert [compiled.ngettext(one, many, n) for n in (1, 2)] == list(message.string or ())


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_use_their_own_words_and_not_those_of_the_admin(language: str) -> None:
    with translation.override(language):
        for message in catalogue(language):
            if isinstance(message.id, str) and message.id:
                assert translation.gettext(message.id) == message.string


@pytest.mark.parametrize("language", [settings.LANGUAGE_CODE, *LANGUAGES])
def test_PP04_no_text_plays_on_feelings(language: str) -> None:
    texts = [str(m.string) for m in catalogue(language)] if language in LANGUAGES else [str(text) for text in said()]
    assert not [text for text in texts if re.search(STIRRING[language], text, re.IGNORECASE)]
