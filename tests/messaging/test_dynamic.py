"""Parts of a message that only some see."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from foundation import registry
from foundation.errors import Invalid
from messaging import dispatch, dynamic, preview
from messaging.models import Message, Template
from messaging.rendering import Desk
from profiles.models import Profile
from segments import definitions
from tests.messaging.conftest import mails_in

PRO = {"kind": "attribute", "name": "plan", "op": "is", "value": "pro"}
IN_PROS = {"kind": "segment", "slug": "pros"}


@pytest.fixture
def pros(now: datetime) -> Callable[[], None]:
    """A live segment of those on the plan pro; call it once they are there."""

    def make() -> None:
        definitions.save("pros", name="Pros", definition=PRO, status="live", now=now)

    return make


def test_each_person_sees_what_is_for_them_in_html_and_in_text(
    person: Callable[..., Profile],
    write: Callable[..., Template],
    agree: Callable[..., None],
    queue: Callable[..., Message],
    folder: Path,
    pros: Callable[[], None],
    now: datetime,
) -> None:
    ada = person("ada", email="ada@example.com", attributes={"plan": "pro"})
    ben = person("ben", email="ben@example.com", attributes={"plan": "free"})
    pros()
    inner = {"kind": "text", "text": "In a column", "when": PRO}
    write(
        blocks=[
            {"kind": "text", "text": "For all"},
            {"kind": "text", "text": "For pros", "when": IN_PROS},
            {"kind": "columns", "columns": [[inner], [{"kind": "text", "text": "Beside"}]], "when": {"not": IN_PROS}},
            {"kind": "columns", "columns": [[inner], [{"kind": "text", "text": "Always"}]]},
            {"kind": "text", "text": "Buy it", "when": {"not": IN_PROS}},
        ]
    )
    agree(ada, ben)
    queue(ada)
    queue(ben)
    dispatch.tick(now)
    for part in ("html", "plain"):
        said = {mail["To"]: mail.get_body((part,)).get_content() for mail in mails_in(folder)}  # type: ignore[union-attr]
        assert {to: [words for words in ("For all", "For pros", "Beside", "In a column", "Always", "Buy it")
                     if words in text] for to, text in said.items()} == {
            "ada@example.com": ["For all", "For pros", "In a column", "Always"],
            "ben@example.com": ["For all", "Beside", "Always", "Buy it"],
        }  # fmt: skip
        assert all("shown." not in text and "{%" not in text for text in said.values())


def test_a_batch_is_asked_once_a_condition(
    person: Callable[..., Profile],
    write: Callable[..., Template],
    queue: Callable[..., Message],
    pros: Callable[[], None],
    now: datetime,
) -> None:
    people = [person(f"p{n}", email=f"p{n}@example.com") for n in range(12)]
    pros()
    write(blocks=[{"kind": "text", "text": "x", "when": IN_PROS}, {"kind": "text", "text": "y", "when": IN_PROS}])
    for one in people:
        queue(one)
    messages = list(Message.objects.select_related("template__version", "profile"))

    def asked(going: list[Message]) -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            Desk(now, [(one, one.profile) for one in going if one.profile])
        return len(queries)

    assert asked(messages) == asked(messages[:1])


def test_what_a_condition_rests_on_must_be_there_and_is_kept_while_it_is_used(
    write: Callable[..., Template], pros: Callable[[], None]
) -> None:
    with pytest.raises(Invalid) as refused:
        write(
            blocks=[
                {"kind": "text", "text": "x", "when": IN_PROS},
                {"kind": "text", "text": "y", "when": {"kind": "?"}},
            ]
        )
    assert refused.value.problems[0].path == "blocks[0].when"
    assert refused.value.problems[0].reason == "there is no live segment 'pros'"
    assert refused.value.problems[1].path == "blocks[1].when.kind"
    pros()
    write(blocks=[{"kind": "text", "text": "x", "when": {"not": IN_PROS}}])
    said = [one for answer in registry.references.ask("segment", "pros") for one in answer]
    assert said == ["The template Hello has parts that depend on it."]


def test_whoever_looks_at_a_template_sees_all_of_it(write: Callable[..., Template], pros: Callable[[], None]) -> None:
    pros()
    template = write(
        blocks=[{"kind": "text", "text": "For pros", "when": IN_PROS}, {"kind": "text", "text": "For all"}]
    )
    assert template.version is not None
    shown = preview.of(template, template.version)
    assert "For pros" in shown.html and "For pros" in shown.text


@pytest.mark.parametrize("when", [IN_PROS, {"not": IN_PROS}, PRO, {"all": [IN_PROS, PRO]}])
def test_a_condition_comes_back_from_a_form_as_it_was(when: Any) -> None:
    assert dynamic.unpacked(dynamic.packed(when)) == when
