"""A template says the same in several languages, and everybody gets the one that is nearest to theirs."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from consent import preferences
from foundation.errors import Invalid
from messaging import dispatch, languages
from messaging.models import Message, Template, TemplateVersion
from profiles.models import Profile
from tests.messaging.conftest import mails_in

GERMAN: dict[str, Any] = {
    "subject": "Neues für {{ profile.first_name | default: 'dich' }}",
    "blocks": [{"kind": "text", "text": "Hallo"}],
}
HEBREW = {"subject": "חדשות", "blocks": [{"kind": "text", "text": "שלום"}]}


def _version(*tags: str) -> TemplateVersion:
    said = {tag: {"subject": tag, "blocks": [], "html": "", "text": ""} for tag in tags}
    return TemplateVersion(subject="written", blocks=[], translations=said)


@pytest.mark.parametrize(
    ("there", "wanted", "expected"),
    [
        ([], ["de"], "written"),
        (["de"], ["de"], "de"),
        (["de"], ["de_AT"], "de"),
        (["de", "de-at"], ["de-AT"], "de-at"),
        (["pt-br"], ["pt"], "pt-br"),
        (["pt-br", "pt-pt"], ["pt"], "pt-br"),
        (["de"], ["fr", "de"], "de"),
        (["de", "fr"], [None, "", "not a language!", "fr-CA"], "fr"),
        (["de"], ["en-GB"], "written"),
        (["zh-hant"], ["zh-Hant-TW"], "zh-hant"),
    ],
)
def test_everybody_gets_the_language_that_is_nearest(there: list[str], wanted: list[Any], expected: str) -> None:
    assert languages.best(_version(*there), wanted).subject == expected


def test_a_mail_is_in_the_language_chosen_else_in_that_of_the_profile(
    person: Callable[..., Profile],
    write: Callable[..., Template],
    agree: Callable[..., None],
    queue: Callable[..., Message],
    folder: Path,
    now: datetime,
) -> None:
    write(translations={"de": GERMAN, "he": HEBREW})
    anna = person("anna", email="anna@example.com", first_name="Anna", locale="fr-CA")
    dov = person("dov", email="dov@example.com", first_name="Dov", locale="he_IL")
    eve = person("eve", email="eve@example.com", first_name="Eve", locale="fr")
    preferences.save(anna.id, language="de", now=now)
    agree(anna, dov, eve)
    for one in (anna, dov, eve):
        queue(one)
    dispatch.tick(now)
    mails = {mail["To"]: mail for mail in mails_in(folder)}
    subjects = {to: mail["Subject"] for to, mail in mails.items()}
    assert subjects == {
        "anna@example.com": "Neues für Anna",
        "dov@example.com": "חדשות",
        "eve@example.com": "News for Eve",
    }
    html = mails["dov@example.com"].get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert '<html lang="he" dir="rtl"' in html


def test_what_is_not_said_of_other_languages_stays_and_an_empty_object_takes_them_away(
    write: Callable[..., Template],
) -> None:
    first = write(translations={"de": GERMAN})
    assert write(translations={"de": GERMAN}).version == first.version
    kept = write(subject="Something else")
    assert kept.version is not None and kept.version.said_in_others == {"de": GERMAN}
    gone = write(subject="Something else", translations={})
    assert gone.version is not None and gone.version.said_in_others == {}


def test_what_is_wrong_in_a_language_is_named_with_its_place(write: Callable[..., Template]) -> None:
    with pytest.raises(Invalid) as refused:
        write(translations={"de": {"subject": "", "blocks": [{"kind": "button", "text": "Los", "href": "nirgends"}]}})
    assert [problem.path for problem in refused.value.problems] == [
        "translations.de.subject",
        "translations.de.blocks[0].href",
    ]
    wrong: Any
    for wrong in ({"German": GERMAN}, {"de": {"subject": "x"}}, {"DE": GERMAN}, [], {"de": "x"}):
        with pytest.raises(Invalid):
            write(translations=wrong)
