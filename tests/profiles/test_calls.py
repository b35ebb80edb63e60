"""One item of the tracking API, read on its own."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.errors import Invalid
from foundation.strict_json import Sent
from profiles.calls import Arrival, Call, read, when

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
ADA = {"userId": "ada"}


def call(item: Any, **arrival: Any) -> Call:
    return read(item, 0, Arrival(NOW, **arrival))


def track(**fields: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Visited", **ADA, **fields}


def refusal(item: Any, **arrival: Any) -> str:
    with pytest.raises(Invalid) as caught:
        call(item, **arrival)
    return str(caught.value)


# ── When it happened ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-24T10:00:00Z",
        "2026-11-24T10:00:00.000Z",
        "2026-11-24t10:00:00z",
        "2026-11-24T10:00:00.000+00:00",
        "2026-11-24T12:00:00+02:00",
        "2026-11-24T12:00:00+0200",
        "2026-11-24 10:00:00",
        "2026-11-24T10:00:00.000000000Z",
        "20261124T100000Z",
    ],
)
def test_times_are_read_as_clients_write_them(text: str) -> None:
    assert when(text) == NOW


@pytest.mark.parametrize(
    "value",
    [
        *("", "now", "1764000000", 1764000000, None, True, {}, []),
        *("99999-01-01T00:00:00Z", "-0001-01-01", "2026-13-01", "2026-11-24T25:00:00Z", "\\u0662\\u0660\\u0662\\u0666"),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"),
    ],
)
def test_what_is_no_time_is_none(value: Any) -> None:
    assert when(value) is None


YEAR = timedelta(days=365)


@given(st.timedeltas(-50 * YEAR, timedelta(0)), st.timedeltas(-YEAR, YEAR))
def test_a_clock_that_is_wrong_is_corrected_by_what_it_says_of_the_sending(since: timedelta, wrong: timedelta) -> None:
    happened = NOW + since
    stamps = {"timestamp": (happened + wrong).isoformat(), "sentAt": (NOW + wrong).isoformat()}
    assert call(track(**stamps)).occurred_at == happened


def test_a_batch_says_when_it_was_sent_for_all_its_items_and_an_item_for_itself() -> None:
    sent, stamp = NOW - timedelta(hours=1), (NOW - timedelta(hours=3)).isoformat()
    assert call(track(timestamp=stamp), sent_at=sent).occurred_at == NOW - timedelta(hours=2)
    own = (NOW - timedelta(hours=2)).isoformat()
    assert call(track(timestamp=stamp, sentAt=own), sent_at=sent).occurred_at == NOW - timedelta(hours=1)
    assert call(track(timestamp=stamp, sentAt="soon"), sent_at=sent).occurred_at == NOW - timedelta(hours=2)


def test_without_a_timestamp_it_happens_on_arrival() -> None:
    assert call(track()).occurred_at == call(track(timestamp=None)).occurred_at == NOW
    assert call(track(), sent_at=NOW - timedelta(days=9)).occurred_at == NOW


@pytest.mark.parametrize(("seconds", "counts"), [(300, 300), (300.000001, 0), (86_400 * 400, 0), (-1, -1)])
def test_five_minutes_ahead_are_believed_and_more_is_arrival(seconds: float, counts: float) -> None:
    stamp = (NOW + timedelta(seconds=seconds)).isoformat()
    assert call(track(timestamp=stamp)).occurred_at == NOW + timedelta(seconds=counts)


@pytest.mark.parametrize("sent", [NOW - timedelta(seconds=3), NOW, NOW + timedelta(seconds=3), NOW.replace(year=1)])
def test_the_end_of_the_calendar_is_arrival(sent: datetime) -> None:
    assert call(track(timestamp="9999-12-31T23:59:59Z", sentAt=sent.isoformat())).occurred_at == NOW


def test_history_is_never_ahead() -> None:
    ahead = (NOW + timedelta(minutes=4)).isoformat()
    assert call(track(timestamp=ahead, historical=True)).occurred_at == NOW
    assert call(track(timestamp=ahead), historical=True).occurred_at == NOW


@pytest.mark.parametrize(
    ("text", "second"),
    [
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2016-12-31T23:59:60.5Z", "2017-01-01T00:00:00.5Z"),
        ("2017-01-01T00:59:60+01:00", "2017-01-01T00:00:00Z"),
    ],
)
def test_a_leap_second_is_the_one_after_it(text: str, second: str) -> None:
    assert when(text) == when(second) is not None


def test_before_1970_is_refused(settings: Any) -> None:
    assert call(track(timestamp="1970-01-01T00:00:00Z")).occurred_at.year == 1970
    assert "before 1970" in refusal(track(timestamp="1969-12-31T23:59:59.999999Z"))
    assert "before 1970" in refusal({"type": "identify", **ADA, "timestamp": "1066-10-14T09:00:00Z"})
    assert "before 1970" in refusal(track(timestamp="0001-01-01T00:00:00Z", sentAt="9999-01-01T00:00:00Z"))


def test_events_older_than_the_retention_are_refused(settings: Any) -> None:
    settings.EVENT_RETENTION_DAYS = 30
    old = (NOW - timedelta(days=30, seconds=1)).isoformat()
    assert call(track(timestamp=(NOW - timedelta(days=30)).isoformat()))
    assert "events are kept for 30 days" in refusal(track(timestamp=old))
    assert "events are kept for 30 days" in refusal({"type": "page", **ADA, "timestamp": old})
    assert call({"type": "identify", **ADA, "timestamp": old})  # a value may be that old


@pytest.mark.parametrize(
    ("hours", "fields", "batch", "triggers"),
    [
        (0, {}, False, True),
        (24, {}, False, True),
        (24.001, {}, False, False),
        (0, {"historical": True}, False, False),
        (0, {"historical": False}, False, True),
        (0, {}, True, False),
        (0, {"historical": False}, True, False),
    ],
)
def test_what_is_late_or_history_triggers_nothing(hours: float, fields: Any, batch: bool, triggers: bool) -> None:
    stamp = (NOW - timedelta(hours=hours)).isoformat()
    assert call(track(timestamp=stamp, **fields), historical=batch).triggers is triggers


# ── What is done ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_pages_and_screens_are_events_with_their_name_and_category() -> None:
    page = {"type": "page", **ADA, "name": "Home", "category": "Docs", "properties": {"url": "/", "name": "other"}}
    found = call(page)
    assert (found.name, found.values) == ("page", {"url": "/", "name": "Home", "category": "Docs"})
    assert page["properties"] == {"url": "/", "name": "other"}
    found = call({"type": "screen", "anonymousId": "x", "name": None})
    assert (found.name, found.values) == ("screen", {})


def test_an_id_may_be_a_number_and_a_blank_one_is_none() -> None:
    found = call(track(userId=42, anonymousId=" "))
    assert (found.user_id, found.anonymous_id) == ("42", None)
    assert call(track(userId=None, anonymousId="x")).user_id is None


def test_an_item_without_a_message_id_gets_one() -> None:
    one, two = call(track()), call(track(messageId=""))
    assert one.message_id and two.message_id and one.message_id != two.message_id
    assert call(track(messageId="m1")).message_id == "m1"


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        (None, "must be a JSON object"),
        ([], "must be a JSON object"),
        ("track", "must be a JSON object"),
        ({}, "type: must be one of"),
        ({"type": "Track"}, "type: must be one of"),
        ({"type": ["track"]}, "type: must be one of"),
        ({"type": "track", "event": "x"}, "names nobody"),
        (track(event=None), "event: must be the name"),
        (track(event=" "), "event: must be the name"),
        (track(event=5), "event: must be the name"),
        (track(event="$message_sent"), "event: begins with $"),
        (track(event="x" * 201), "event: is longer than 200"),
        (track(event="a\nb"), "event: contains control characters"),
        ({"type": "identify", **ADA, "traits": {"firstName": "a\nBcc: x"}}, "traits.firstName: contains control"),
        ({"type": "identify", **ADA, "traits": {"last_name": "a\u2028b"}}, "traits.last_name: contains control"),
        ({"type": "identify", **ADA, "traits": {"phone": "1\r2"}}, "traits.phone: contains control"),
        ({"type": "identify", **ADA, "traits": {"locale": "de\t" + "x"}}, "traits.locale: contains control"),
        (track(event="a\x00b"), "event: It contains the NUL"),
        (track(event="\ud800"), "event: It contains half of a surrogate"),
        (track(properties=[]), "properties: must be an object"),
        (track(properties="a"), "properties: must be an object"),
        (track(properties={"a": 1e400}), "properties.a: It is not a finite number"),
        (track(context=5), "context: must be an object"),
        (track(integrations=[]), "integrations: must be an object"),
        (track(historical="yes"), "historical: must be true or false"),
        (track(historical=1), "historical: must be true or false"),
        (track(timestamp=5), "timestamp: must be a time"),
        (track(timestamp="yesterday"), "timestamp: must be a time"),
        (track(userId=1.5), "userId: must be text"),
        (track(userId=True), "userId: must be text"),
        (track(userId={}), "userId: must be text"),
        (track(userId="é" * 128), "userId: is longer than 255 bytes"),
        (track(anonymousId=["x"]), "anonymousId: must be text"),
        (track(messageId={"a": 1}), "messageId: must be text"),
        (track(messageId="x" * 256), "messageId: is longer than 255 bytes"),
        ({"type": "page", **ADA, "name": 5}, "name: must be text"),
        ({"type": "screen", **ADA, "category": {}}, "category: must be text"),
        ({"type": "identify", "traits": {}}, "names nobody"),
        ({"type": "identify", **ADA, "traits": 5}, "traits: must be an object"),
        ({"type": "identify", **ADA, "traits": {"$plan": 1}}, "blank or begins with $"),
        ({"type": "identify", **ADA, "traits": {" ": 1}}, "blank or begins with $"),
        ({"type": "group", **ADA}, "groupId: is missing"),
        ({"type": "group", **ADA, "groupId": ""}, "groupId: is missing"),
        ({"type": "group", **ADA, "groupId": []}, "groupId: must be text"),
        ({"type": "group", "groupId": "g"}, "names nobody"),
        ({"type": "group", **ADA, "groupId": "g", "traits": {"name": 5}}, "traits.name: must be text"),
        ({"type": "alias", **ADA}, "previousId: is missing"),
        ({"type": "alias", "previousId": "x"}, "userId: is missing"),
        ({"type": "alias", "previousId": "x", "anonymousId": "y"}, "userId: is missing"),
    ],
)
def test_JS01_a_call_of_the_wrong_shape_is_refused_with_the_reason(item: Any, sentence: str) -> None:
    assert sentence in refusal(item)


def test_every_reason_is_said_at_once() -> None:
    said = refusal(track(event=5, userId=[], timestamp="x"))
    assert all(name in said for name in ("event:", "userId:", "timestamp:"))


@pytest.mark.parametrize("fill", ["x", "é", "\U0001f600"])
def test_JS02_32768_bytes_are_fine_and_one_more_is_not(fill: str) -> None:
    def item(bytes_of_all: int) -> dict[str, Any]:
        empty = track(properties={str(n): "" for n in range(5)})
        room = bytes_of_all - len(json.dumps(empty, separators=(",", ":")).encode())
        letters, rest = divmod(room, len(fill.encode()))
        fifth, more = divmod(letters, 5)
        texts = [fill * (fifth + (n < more)) for n in range(5)]
        texts[0] += "x" * rest
        return track(properties={str(n): text for n, text in enumerate(texts)})

    assert call(item(32_768))
    assert refusal(item(32_769)).startswith("The item has 32,769 bytes; the most is 32,768.")
    assert call(Sent(item(32_768), 32_768))
    assert "32,769 bytes" in refusal(Sent(item(20_000), 32_769))  # as it was sent, spaces and all


# ── What is said of people ───────────────────────────────────────────────────────────────────────────────────────────


def traits(**given: Any) -> dict[str, Any]:
    return call({"type": "identify", **ADA, "traits": given}).values


def test_reserved_traits_fill_columns_and_all_others_are_attributes() -> None:
    assert traits(
        email=" ada@example.com ",
        phone="+49 30 1",
        firstName="Ada",
        lastName="Lovelace",
        timezone="Europe/Berlin",
        language="de",
        createdAt="2026-01-02T03:04:05Z",
        plan="pro",
        name="Ada L.",
        address={"city": "London"},
    ) == {
        "email": "ada@example.com",
        "phone": "+49 30 1",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "timezone": "Europe/Berlin",
        "locale": "de",
        "created_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "plan": "pro",
        "name": "Ada L.",
        "address": {"city": "London"},
    }


def test_locale_comes_before_language_and_null_empties() -> None:
    assert traits(locale="en-GB", language="de") == traits(language="de", locale="en-GB") == {"locale": "en-GB"}
    assert traits(first_name="Ada", email=None, phone="") == {"first_name": "Ada", "email": None, "phone": None}


@pytest.mark.parametrize(
    ("trait", "value", "sentence"),
    [
        ("email", 5, "must be text"),
        ("email", "ada", "is no email address"),
        ("email", "ada@localhost", "is no email address"),
        ("email", "a b@example.com", "is no email address"),
        ("email", "a@b@example.com", "is no email address"),
        ("email", "Ada <ada@example.com>", "is no email address"),
        ("email", "ada@example..com", "is no email address"),
        ("email", "a" * 250 + "@example.com", "is longer than 254"),
        ("phone", 491234, "must be text"),
        ("phone", "1" * 51, "is longer than 50"),
        ("firstName", ["Ada"], "must be text"),
        ("last_name", {"a": 1}, "must be text"),
        ("timezone", "Berlin", "no time zone of the IANA list"),
        ("timezone", 2, "must be text"),
        ("locale", False, "must be text"),
        ("language", 5, "must be text"),
        ("createdAt", 1764000000, "must be a time"),
        ("createdAt", "long ago", "must be a time"),
    ],
)
def test_a_trait_that_its_column_cannot_hold_is_refused_by_its_name(trait: str, value: Any, sentence: str) -> None:
    said = refusal({"type": "identify", **ADA, "traits": {trait: value, "plan": "pro"}})
    assert said.startswith(f"traits.{trait}: ")
    assert sentence in said


@pytest.mark.parametrize("address", ["ada@example.com", "a.b+c@sub.example.co.uk", "ädä@bücher.example", "o'b@x.io"])
def test_plausible_addresses_are_kept_as_they_are(address: str) -> None:
    assert traits(email=address) == {"email": address}


def test_traits_beside_an_event_say_nothing() -> None:
    assert call(track(traits={"plan": "pro"}, context={"traits": {"plan": "pro"}})).values == {}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("type", "event", "userId", "anonymousId", "previousId", "groupId", "traits", "properties", "timestamp")
KINDS = ("identify", "track", "page", "screen", "group", "alias")


@given(
    st.dictionaries(
        st.sampled_from([*FIELDS, "messageId", "sentAt", "name", "context", "historical"]), json_values
    ).flatmap(lambda item: st.sampled_from(KINDS).map(lambda kind: {"type": kind, **item}))
)
def test_JS01_whatever_is_sent_is_read_or_refused(item: dict[str, Any]) -> None:
    try:
        found = call(item)
    except Invalid as error:
        assert str(error).encode()  # the reason can be stored, whatever it is about
    else:
        assert found.user_id or found.anonymous_id
        assert datetime(1970, 1, 1, tzinfo=UTC) <= found.occurred_at <= NOW + timedelta(minutes=5)
