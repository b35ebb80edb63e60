"""What every channel keeps to, how it is set up, and that adding one is adding a file."""

import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from foundation.errors import Conflict, Invalid
from messaging import building, sealing, wiring
from messaging.delivery import CHANNELS, Channel
from messaging.models import ChannelSettings, Message, MessageState
from profiles.models import Event, Profile
from staff.models import AuditEntry
from tests.messaging import by_channel

pytestmark = pytest.mark.django_db
ALL = pytest.mark.parametrize("channel", list(CHANNELS), ids=lambda channel: channel.key)


@ALL
def test_a_channel_says_what_it_is_and_what_it_asks(channel: type[Channel]) -> None:
    assert channel.about.endswith(".")
    assert channel.label == channel.label.strip() != ""
    names = [one.name for one in channel.settings]
    assert len(names) == len(set(names))
    for one in channel.settings:
        assert one.label
        assert not (one.secret and one.shown), "what can be written and never read is not shown"
        assert not one.usual or not one.flaw(one.usual)
    for option in channel.form.options:
        assert len(option.among) > 1


@ALL
def test_nobody_without_an_address_is_reached(channel: type[Channel]) -> None:
    assert not channel().takes("")


@ALL
def test_a_template_says_what_the_channel_can_say(channel: type[Channel], now: datetime) -> None:
    form = channel.form
    fields = {"subject": "Done"} if form.has_subject else {}
    slug = by_channel.write(channel.key, now, **fields)
    with pytest.raises(Invalid) as refused:
        by_channel.write(channel.key, now, subject="" if form.has_subject else "Done")
    assert [one.path for one in refused.value.problems] == ["subject"]
    picture = [{"kind": "image", "src": "https://example.com/a.png", "alt": "A"}]
    if form.rich:
        by_channel.write(channel.key, now, slug=slug, blocks=picture, **fields)
    else:
        with pytest.raises(Invalid, match="take out the image"):
            by_channel.write(channel.key, now, slug=slug, blocks=picture, **fields)
    if form.longest:
        with pytest.raises(Invalid, match="at most"):
            blocks = [{"kind": "text", "text": "a" * (form.longest + 1)}]
            by_channel.write(channel.key, now, slug=slug, blocks=blocks, **fields)
    with pytest.raises(Invalid, match="is no option"):
        by_channel.write(channel.key, now, slug=slug, options={"nonsense": "x"}, **fields)


def test_only_a_mail_has_the_brands_head_and_foot() -> None:
    blocks = building.read([{"kind": "heading", "text": "Hello {{ profile.first_name }}"}])
    made = {one.key: building.compile_for(one.form, blocks) for one in CHANNELS}
    assert "unsubscribe" in made["email"].text
    assert made["in_app"].html == "<h2>Hello {{ profile.first_name }}</h2>"
    assert (made["sms"].html, made["sms"].text) == ("", "Hello {{ profile.first_name }}")


# ── Setting one up ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_message_waits_until_its_channel_is_set_up_and_then_goes_at_once(
    person: Callable[..., Profile], now: datetime
) -> None:
    eve = person("eve", phone="+43 660 1234567")
    message = by_channel.said(eve, "sms", now)
    assert (message.state, message.guardrail) == (MessageState.DEFERRED, "channel")
    assert message.reason.startswith("The channel text message is not set up yet: “Provider” is still to be filled in.")
    wiring.save("sms", {"url": f"twilio://AC{'a' * 32}:{'b' * 32}@15551234567/{{phone}}"}, now=now)
    message.refresh_from_db()
    assert message.due_at == now
    wiring.save("sms", {}, enabled=False, now=now)
    later = by_channel.said(eve, "sms", now)
    assert "is switched off" in later.reason


def test_a_secret_is_written_and_never_shown_and_the_database_does_not_tell_it(now: datetime) -> None:
    url = f"twilio://AC{'a' * 32}:{'b' * 32}@15551234567/{{phone}}"
    wiring.save("sms", {"url": url}, now=now)
    row = ChannelSettings.objects.get(channel="sms")
    assert "twilio" not in f"{row.values}{row.sealed}"
    assert wiring.wired("sms").values["url"] == url
    wiring.save("sms", {"url": ""}, now=now)  # left empty, it stays as it is
    assert wiring.wired("sms").values["url"] == url
    entry = AuditEntry.objects.get(verb="channel.changed")
    assert "twilio" not in f"{entry.summary}{entry.details}"


def test_keys_may_be_rotated_and_what_was_sealed_with_a_lost_one_says_so(now: datetime, settings: Any) -> None:
    wiring.save("chat", {"url": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#success"}, now=now)
    settings.LINK_KEYS = {**settings.LINK_KEYS, "next": "a-key-of-at-least-16-characters"}
    assert not wiring.wired("chat").lack(CHANNELS["chat"])
    settings.LINK_KEYS = {"other": "another-key-of-16-characters"}
    assert "must be entered again" in wiring.wired("chat").lack(CHANNELS["chat"])
    assert sealing.unseal("nonsense") is None


def test_what_we_make_ourselves_is_made_once_and_the_one_before_counts_for_a_day(now: datetime) -> None:
    first = wiring.made("webhook", "secret")
    assert wiring.made("webhook", "secret") == first
    wiring.renew("webhook", "secret", now=now)
    second = wiring.made("webhook", "secret")
    assert wiring.taken("webhook", "secret", now=now) == [second, first]
    assert wiring.taken("webhook", "secret", now=now + timedelta(days=1)) == [second]
    assert AuditEntry.objects.filter(verb="channel.renewed").count() == 1


@pytest.mark.parametrize(
    ("channel", "given", "said"),
    [
        ("webhook", {"url": "http://127.0.0.1/x"}, "must begin with https://"),
        ("sms", {"url": "twilio://a:b@15551234567/15557654321"}, "must hold {phone}"),
        ("sms", {"url": "json://10.0.0.1/{phone}"}, "OUTGOING_HOSTS"),
        ("chat", {"url": "syslog://"}, "would stay on our machine"),
        ("chat", {"url": "nonsense"}, "as Apprise writes it"),
        ("in_app", {"origins": "https://app.example.com/path"}, "without a path"),
        ("in_app", {"days": "0"}, "from 1 to 365"),
        ("in_app", {"key": "x"}, "is none of its settings"),
    ],
)
def test_what_cannot_be_right_is_refused_with_a_sentence(
    channel: str, given: dict[str, str], said: str, now: datetime
) -> None:
    with pytest.raises(Invalid) as refused:
        wiring.save(channel, given, now=now)
    assert said in str(refused.value)
    assert not ChannelSettings.objects.exists()


def test_a_test_says_why_it_did_not_go_through_and_that_is_kept(now: datetime, settings: Any) -> None:
    with pytest.raises(Conflict, match="is not set up yet"):
        wiring.test("chat", "", now=now)
    settings.OUTGOING_HOSTS = ["127.0.0.1:9"]
    wiring.save("chat", {"url": "json://127.0.0.1:9/"}, now=now)
    with pytest.raises(Conflict, match="could not be reached"):
        wiring.test("chat", "", now=now)
    row = ChannelSettings.objects.get(channel="chat")
    assert (row.tested_at, row.test_failed) == (now, "The provider could not be reached.")
    assert not Message.objects.exists()


# ── One file ─────────────────────────────────────────────────────────────────────────────────────────────────────────
PIGEON = '''
"""Letters by carrier pigeon."""

from contextlib import contextmanager

from messaging.delivery import CHANNELS, Accepted, Channel, Form, Line


@CHANNELS.register
class Pigeon(Channel):
    key = "pigeon"
    label = "carrier pigeon"
    about = "Slow, and hard to trace."
    form = Form(has_subject=False, rich=False, longest=80)
    flown = []

    def address(self, profile):
        return profile.attributes.get("loft", "")

    @contextmanager
    def line(self):
        yield Flight()


class Flight(Line):
    def send(self, letter):
        Pigeon.flown.append((letter.address, letter.text))
        return Accepted("ring 17")
'''


@pytest.fixture
def pigeon(tmp_path: Path) -> Iterator[Any]:
    """A file more in the folder of channels, for as long as a test takes."""
    package = import_module("messaging.channels")
    (tmp_path / "pigeon.py").write_text(PIGEON)
    package.__path__.append(str(tmp_path))
    CHANNELS._found = False
    yield CHANNELS["pigeon"]
    package.__path__.remove(str(tmp_path))
    del sys.modules["messaging.channels.pigeon"], CHANNELS._variants["pigeon"]


def test_a_channel_is_added_as_one_file(pigeon: Any, person: Callable[..., Profile], now: datetime) -> None:
    eve = person("eve", first_name="Eve", attributes={"loft": "Roof 3"})
    message = by_channel.said(eve, "pigeon", now)
    assert pigeon.flown == [("Roof 3", "Hello Eve, it is done.")]
    assert (message.state, message.address, message.provider_id) == (MessageState.SENT, "Roof 3", "ring 17")
    assert Event.objects.filter(profile=eve, type__name="$message_sent", properties__channel="pigeon").count() == 1
