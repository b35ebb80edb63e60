"""The channels `sms` and `chat`, through Apprise, to a real listener; and how long a text is on its way."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from messaging import apprising, sms, wiring
from messaging.channels.sms import Sms
from messaging.models import Message, MessageState
from profiles.models import Profile
from tests.messaging import by_channel
from tests.receiving import Receiver, receiving

pytestmark = pytest.mark.django_db


@pytest.fixture
def receiver(settings: Any, now: datetime) -> Iterator[Receiver]:
    """Listens as the provider of texts, and as the room of the chat."""
    with receiving() as found:
        settings.OUTGOING_HOSTS = [found.host]
        wiring.save("sms", {"url": f"json://{found.host}/to/{{phone}}/"}, now=now)
        wiring.save("chat", {"url": f"json://{found.host}/room/"}, now=now)
        yield found


@pytest.fixture
def eve(person: Callable[..., Profile]) -> Profile:
    return person("eve", first_name="Ève", phone="+43 660 / 123-4567")


def test_a_text_goes_to_the_number_and_says_nothing_but_the_text(
    eve: Profile, receiver: Receiver, now: datetime
) -> None:
    message = by_channel.said(eve, "sms", now)
    assert (message.state, message.address) == (MessageState.SENT, "+436601234567")
    (came,) = receiver.received
    assert came.path == "/to/+436601234567/"
    body = json.loads(came.body)
    assert (body["title"], body["message"]) == ("", "Hello Ève, it is done.")


def test_our_chat_is_told_about_the_person(eve: Profile, receiver: Receiver, now: datetime) -> None:
    message = by_channel.said(eve, "chat", now, subject="{{ profile.first_name }} is done")
    assert message.state == MessageState.SENT
    (came,) = receiver.received
    assert came.path == "/room/"
    assert json.loads(came.body)["title"] == "Ève is done"


@pytest.mark.parametrize(
    ("status", "state", "said"),
    [
        (429, MessageState.DEFERRED, "answered 429"),
        (503, MessageState.DEFERRED, "answered 503"),
        (401, MessageState.DEFERRED, "may be wrong"),
        (400, MessageState.FAILED, "answered 400"),
        (500, MessageState.UNKNOWN, "answered 500"),
    ],
)
def test_a_definite_no_is_told_apart_from_what_nobody_knows(
    status: int, state: MessageState, said: str, eve: Profile, receiver: Receiver, now: datetime
) -> None:
    receiver.says(status)
    message = by_channel.said(eve, "sms", now)
    assert message.state == state
    assert said in message.reason


def test_a_provider_that_is_not_there_took_nothing_and_one_that_hangs_up_may_have(
    eve: Profile, receiver: Receiver, now: datetime, settings: Any
) -> None:
    def hang_up(_: object) -> Any:
        raise ConnectionResetError

    receiver.answers = hang_up
    message = by_channel.said(eve, "sms", now)
    assert message.state == MessageState.UNKNOWN
    assert "did not say" in message.reason
    settings.OUTGOING_HOSTS = ["127.0.0.1:9"]
    wiring.save("sms", {"url": "json://127.0.0.1:9/{phone}/"}, now=now)
    message = by_channel.said(eve, "sms", now)
    assert (message.state, "could not be reached" in message.reason) == (MessageState.DEFERRED, True)


def test_ss_01_a_host_is_called_only_while_the_operator_names_it(
    eve: Profile, receiver: Receiver, now: datetime, settings: Any
) -> None:
    settings.OUTGOING_HOSTS = []
    message = by_channel.said(eve, "sms", now)
    assert message.state == MessageState.DEFERRED
    assert receiver.received == []


def test_ss_01_a_redirect_is_not_followed(eve: Profile, receiver: Receiver, now: datetime) -> None:
    receiver.says(307, Location=f"{receiver.url}/elsewhere")
    message = by_channel.said(eve, "sms", now)
    assert message.state != MessageState.SENT
    assert [came.path for came in receiver.received] == ["/to/+436601234567/"]


def test_what_the_provider_was_told_is_in_no_log(
    eve: Profile, receiver: Receiver, now: datetime, capfd: pytest.CaptureFixture[str]
) -> None:
    by_channel.said(eve, "sms", now)
    told = capfd.readouterr()
    assert "6601234567" not in f"{told.out}{told.err}"


@pytest.mark.parametrize(
    ("phone", "number"),
    [
        ("+43 660 1234567", "+436601234567"),
        ("0043 (660) 123-45 67", "+436601234567"),
        ("0660 1234567", ""),
        ("+0660123456", ""),
        ("+1234", ""),
        ("+43660123456789012", ""),
        ("+4366012x4567", ""),
        (None, ""),
    ],
)
def test_a_number_counts_with_its_country_or_not_at_all(phone: str | None, number: str) -> None:
    assert sms.number(phone) == number


def test_a_number_without_a_country_is_none_that_a_text_could_go_to(
    person: Callable[..., Profile], receiver: Receiver, now: datetime
) -> None:
    message = by_channel.said(person("kim", phone="0660 123"), "sms", now)
    assert (message.state, message.guardrail) == (MessageState.SUPPRESSED, "address")
    assert "is none that text message could go to" in message.reason


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", ("GSM-7", 0, 0)),
        ("a" * 160, ("GSM-7", 160, 1)),
        ("a" * 161, ("GSM-7", 161, 2)),
        ("a" * 306, ("GSM-7", 306, 2)),
        ("a" * 307, ("GSM-7", 307, 3)),
        ("€" * 80, ("GSM-7", 160, 1)),
        ("a" * 152 + "€" + "a" * 152, ("GSM-7", 306, 3)),  # the sign is not parted, and leaves a unit empty
        ("ш" * 70, ("UCS-2", 70, 1)),
        ("ш" * 71, ("UCS-2", 71, 2)),
        ("😀" * 35, ("UCS-2", 70, 1)),
        ("😀" * 67, ("UCS-2", 134, 3)),
    ],
)
def test_a_text_is_counted_as_phones_count_it(text: str, size: tuple[str, int, int]) -> None:
    found = sms.size(text)
    assert (found.alphabet, found.units, found.parts) == size


def test_whoever_writes_a_text_hears_what_it_costs_and_that_people_must_know_how_to_stop_it() -> None:
    channel = Sms()
    assert channel.hints("It is done. Reply STOP to get no more.", transactional=False) == []
    assert channel.hints("It is done.", transactional=True) == []
    assert "how to get no more" in " ".join(channel.hints("It is done.", transactional=False))
    assert "in 2 parts since it has letters" in " ".join(channel.hints("ш" * 71, transactional=True))


def test_too_much_for_somebody_fails_that_message_and_says_so(
    person: Callable[..., Profile], receiver: Receiver, now: datetime
) -> None:
    long = person("long", phone="+436601234567", first_name="x" * 200, attributes={"a": "y" * 1_600})
    blocks = [{"kind": "text", "text": "{{ profile.a }}"}]
    message = by_channel.said(long, "sms", now, blocks=blocks)
    assert message.state == MessageState.FAILED
    assert "by text message at most 1,530 can be said" in message.reason
    assert Message.objects.count() == 1


@pytest.mark.parametrize("url", ["twilio://AC" + "a" * 32 + ":" + "b" * 32 + "@15551234567/15557654321",
                                 "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general"])  # fmt: skip
def test_providers_with_a_place_of_their_own_need_no_operator(url: str) -> None:
    assert apprising.flaw(url) == ""


@pytest.mark.parametrize("url", ["json://169.254.169.254/", "xml://localhost/x", "mmost://10.0.0.1/token",
                                 "mailto://a:b@example.com", "syslog://", "file:///etc/passwd", "", "x"])  # fmt: skip
def test_ss_01_what_could_lead_anywhere_does(url: str) -> None:
    assert apprising.flaw(url).startswith("must ")
