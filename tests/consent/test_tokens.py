import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from consent import tokens

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
PROFILE, MESSAGE = UUID(int=7), UUID(int=9)
VALUES: dict[str, dict[str, Any]] = {
    "unsubscribe": {"profile": PROFILE, "topic": "news", "channel": "email", "message": MESSAGE},
    "feedback": {"message": MESSAGE},
    "open": {"message": MESSAGE},
    "preferences": {"profile": PROFILE, "epoch": 3, "at": NOW},
    "less": {"profile": PROFILE, "epoch": 3, "at": NOW},
    "undo": {"subject": PROFILE, "first": 4, "last": 9, "at": NOW},
    "confirm": {"request": MESSAGE, "at": NOW},
    "inert": {"topic": "news", "channel": "email"},
    "click": {"message": MESSAGE, "place": 3},
}


@pytest.mark.parametrize("purpose", VALUES)
def test_a_token_gives_back_what_it_was_made_of(purpose: str) -> None:
    assert tokens.read(purpose, tokens.make(purpose, **VALUES[purpose]), now=NOW) == VALUES[purpose]


def test_every_purpose_is_tested() -> None:
    assert set(VALUES) == set(tokens.PURPOSES)


@pytest.mark.parametrize("purpose", VALUES)
@pytest.mark.parametrize("other", VALUES)
def test_TK02_a_token_for_one_thing_is_noise_for_every_other(purpose: str, other: str) -> None:
    found = tokens.read(other, tokens.make(purpose, **VALUES[purpose]), now=NOW)
    assert (found is not None) == (purpose == other)


@pytest.mark.parametrize("purpose", VALUES)
def test_UN04_a_token_with_any_character_changed_is_nobodys(purpose: str) -> None:
    token = tokens.make(purpose, **VALUES[purpose])
    for place, character in enumerate(token):
        for other in {"A", "B", "-", ".", "é", "\udc80"} - {character}:
            assert tokens.read(purpose, token[:place] + other + token[place + 1 :], now=NOW) is None
    assert tokens.read(purpose, token[:-1], now=NOW) is None
    assert tokens.read(purpose, token + "A", now=NOW) is None


@pytest.mark.parametrize("purpose", VALUES)
def test_TK01_a_token_names_nobody_and_fits_into_a_line(purpose: str) -> None:
    values = {**VALUES[purpose], **({"topic": "t" * 50, "channel": "c" * 20} if "topic" in VALUES[purpose] else {})}
    token = tokens.make(purpose, **values)
    assert len(token) <= 200
    assert "=" not in token
    payload = token.split(".")[2]
    assert b"@" not in base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))


@pytest.mark.parametrize(
    ("purpose", "lifetime"),
    [
        ("preferences", timedelta(days=90)),
        ("undo", timedelta(hours=1)),
        ("less", timedelta(days=1)),
        ("confirm", timedelta(days=7)),
    ],
)
def test_TK04_a_token_lives_to_the_second(purpose: str, lifetime: timedelta) -> None:
    token = tokens.make(purpose, **VALUES[purpose])
    assert tokens.read(purpose, token, now=NOW + lifetime)
    assert tokens.read(purpose, token, now=NOW + lifetime + timedelta(seconds=1)) is None
    assert tokens.read_at_any_age(purpose, token) == VALUES[purpose]


def test_UN06_a_link_to_unsubscribe_outlives_the_keys_that_sign(settings: Any) -> None:
    token = tokens.make("unsubscribe", **VALUES["unsubscribe"])
    for n in range(3):
        settings.LINK_KEYS = {**settings.LINK_KEYS, f"k{n + 10}": uuid4().hex}
    settings.SECRET_KEY = "another"
    assert tokens.read("unsubscribe", token, now=NOW + timedelta(days=3660)) == VALUES["unsubscribe"]
    assert tokens.make("unsubscribe", **VALUES["unsubscribe"]) != token


def test_TK03_a_key_that_is_gone_verifies_nothing(settings: Any) -> None:
    token = tokens.make("unsubscribe", **VALUES["unsubscribe"])
    settings.LINK_KEYS = {"other": uuid4().hex}
    assert tokens.read("unsubscribe", token) is None


def test_a_message_need_not_be_named() -> None:
    token = tokens.make("unsubscribe", **{**VALUES["unsubscribe"], "message": None, "topic": ""})
    assert tokens.read("unsubscribe", token) == {**VALUES["unsubscribe"], "message": None, "topic": ""}


def test_a_token_bears_exactly_what_it_is_for() -> None:
    with pytest.raises(TypeError, match="bears profile, topic, channel, message"):
        tokens.make("unsubscribe", profile=PROFILE)
