"""What people answer to a message that asks them."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from messaging import dispatch, feedback
from messaging.models import Message, Template
from profiles.models import Event, Profile
from segments import language
from tests.messaging.conftest import mails_in

ASKS: list[dict[str, Any]] = [
    {"kind": "text", "text": "Hello"},
    {
        "kind": "columns",
        "columns": [[{"kind": "feedback", "question": "How was it?", "low": "Bad", "high": "Good"}], []],
    },
    {"kind": "feedback", "question": "Would you tell a friend?", "eleven": True},
]


@pytest.fixture
def asked(
    ada: Profile, write: Callable[..., Template], agree: Callable[..., None], queue: Callable[..., Message],
    folder: Path, now: datetime,
) -> Message:  # fmt: skip
    write(blocks=ASKS)
    agree(ada)
    message = queue(ada, journey="onboarding", step="ask")
    dispatch.tick(now)
    message.refresh_from_db()
    return message


def _path(message: Message, question: str) -> str:
    return f"/f/{feedback.url(message.id).rpartition('/')[2]}?q={feedback.name_of(question)}"


def test_the_mail_asks_with_a_link_for_each_number_and_in_plain_text_too(asked: Message, folder: Path) -> None:
    (mail,) = mails_in(folder)
    html = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
    address = feedback.url(asked.id)
    for score in range(1, 6):
        assert f'href="{address}?q={feedback.name_of("How was it?")}&amp;score={score}"' in html
    assert html.count(f"q={feedback.name_of('Would you tell a friend?')}") == 11
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "From 1 to 5 (1: Bad · 5: Good):" in text and "From 0 to 10:" in text


def test_looking_counts_nothing_and_the_button_counts_once(asked: Message, client: Client) -> None:
    path = _path(asked, "How was it?")
    page = client.get(f"{path}&score=4")
    assert page.status_code == 200 and "set-cookie" not in {name.lower() for name in page.headers}
    assert 'value="4" required checked' in page.content.decode()
    assert not Event.objects.filter(type__name="$feedback_given").exists()

    answer = {"score": "4", "comment": "It saved me <b>an hour</b>."}
    for _ in range(2):
        assert "Thank you." in client.post(path, answer).content.decode()
    (event,) = Event.objects.filter(type__name="$feedback_given")
    assert event.profile_id == asked.profile_id
    said = {name: event.properties[name] for name in ("score", "best", "question", "comment", "journey", "template")}
    assert said == {
        "score": 4, "best": 5, "question": "How was it?", "comment": "It saved me <b>an hour</b>.",
        "journey": "onboarding", "template": "hello",
    }  # fmt: skip
    client.post(path, {"score": "2"})
    assert Event.objects.filter(type__name="$feedback_given").count() == 2


def test_sentiment_is_a_segment(asked: Message, client: Client, now: datetime) -> None:
    client.post(_path(asked, "Would you tell a friend?"), {"score": "10"})
    unhappy = {"kind": "event", "name": "$feedback_given", "where": [{"property": "score", "op": "lte", "value": 6}]}
    happy = {"kind": "event", "name": "$feedback_given", "where": [{"property": "score", "op": "gte", "value": 9}]}
    assert language.parse(happy).matching(None, at=now.replace(year=2100)) == {asked.profile_id}
    assert language.parse(unhappy).matching(None, at=now.replace(year=2100)) == set()


@pytest.mark.parametrize("score", ["", "0", "6", "-1", "four", "4.0", "٤", "9" * 400])
def test_what_is_no_answer_is_asked_again_and_nothing_typed_is_lost(asked: Message, client: Client, score: str) -> None:
    page = client.post(_path(asked, "How was it?"), {"score": score, "comment": "My words"})
    assert page.status_code == 400
    assert "Choose a number first." in page.content.decode() and "My words" in page.content.decode()
    assert not Event.objects.filter(type__name="$feedback_given").exists()


def test_a_link_to_nothing_is_not_found_and_one_of_a_test_changes_nothing(
    asked: Message, client: Client, write: Callable[..., Template]
) -> None:
    good = _path(asked, "How was it?")
    for path in (
        "/f/rubbish?q=1",
        good.replace("q=", "q=0"),
        good.partition("?")[0],
        good.replace("/f/v1.", "/f/v1.x"),
    ):
        assert client.get(path).status_code == client.post(path, {"score": "4"}).status_code == 404
    inert = "/f/" + feedback.inert_url("news", "email").rpartition("/")[2]
    assert "This is a test" in client.post(f"{inert}?q=1", {"score": "4"}).content.decode()
    assert not Event.objects.filter(type__name="$feedback_given").exists()


def test_a_question_is_the_same_for_everybody(write: Callable[..., Template]) -> None:
    with pytest.raises(Exception, match="plain words, the same for everybody"):
        write(blocks=[{"kind": "feedback", "question": "How was it, {{ profile.first_name }}?"}])


def test_a_link_that_is_passed_on_cannot_fill_the_house(asked: Message, client: Client) -> None:
    path = _path(asked, "How was it?")
    for n in range(feedback.MOST + 5):
        assert client.post(path, {"score": "3", "comment": f"Answer {n}"}).status_code == 200
    assert Event.objects.filter(type__name="$feedback_given").count() == feedback.MOST
