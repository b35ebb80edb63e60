"""Whatever is sent to the tracking API is taken, refused with a reason, or answered with 4xx; never a 500."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundation import clock
from profiles.models import RejectedEvent
from staff import keys
from staff.models import Key

PATHS = tuple(f"/v1/{name}" for name in ("batch", "import", "identify", "track", "page", "screen", "group", "alias"))
FIELDS = (
    *("type", "userId", "anonymousId", "previousId", "groupId", "event", "name", "category", "messageId"),
    *("traits", "properties", "context", "integrations", "timestamp", "sentAt", "historical", "channel"),
)
KINDS = ("identify", "track", "page", "screen", "group", "alias")


@pytest.fixture
def client(db: None) -> Iterator[Client]:
    """Sends with a server's key, and raises nothing: a 500 is an answer like any other."""
    secret = keys.create("Test", kind=Key.Kind.SERVER, now=clock.now())[1]
    client = Client(raise_request_exception=False)
    client.secret = secret  # type: ignore[attr-defined]
    yield client


def _post(client: Client, path: str, raw: bytes, **headers: str) -> Any:
    import base64

    user = base64.b64encode(f"{client.secret}:".encode()).decode()  # type: ignore[attr-defined]
    headers = {"authorization": f"Basic {user}", **headers}
    return client.post(path, data=raw, content_type="application/json", headers=headers)


def _fine(answer: Any) -> dict[str, Any]:
    """The answer's JSON, which is one of those that there are."""
    assert answer.status_code in (200, 400, 413), (answer.status_code, answer.content[:300])
    body: dict[str, Any] = answer.json()
    if answer.status_code == 200:
        assert body["success"] is True
        for one in body.get("rejected", []):
            assert isinstance(one["index"], int) and one["reason"]
    else:
        assert body["success"] is False and body["error"]
    return body


DEEP = b'{"a":' * 20_000 + b"1" + b"}" * 20_000
HUGE = b"9" * 5_000

BODIES = {
    "empty": b"",
    "spaces": b" \n\t ",
    "no JSON": b"event=Visited&userId=u",
    "null": b"null",
    "a number": b"5",
    "a string": b'"x"',
    "a list": b"[]",
    "true": b"true",
    "a huge number": HUGE,
    "not a number": b"NaN",
    "unfinished": b'{"batch": [',
    "a comma too many": b'{"batch": [{}],}',
    "two values": b'{"batch": []} {"batch": []}',
    "single quotes": b"{'batch': []}",
    "UTF-16": '{"batch": []}'.encode("utf-16"),
    "invalid UTF-8": b'{"batch": ["\xff"]}',
    "overlong UTF-8": b'{"batch": ["\xc0\x80"]}',
    "a surrogate in UTF-8": b'{"batch": ["\xed\xa0\x80"]}',
    "a raw NUL": b'{"batch": ["\x00"]}',
    "deep lists": b"[" * 20_000 + b"]" * 20_000,
    "deep objects": DEEP,
    "deep and unfinished": b'{"batch":' + b"[" * 100_000,
    "deep and cut short in an item": b'{"batch": [{}, {"type": "track", "properties": ' + DEEP + b"}",
    "no batch": b"{}",
    "batch is null": b'{"batch": null}',
    "batch is an object": b'{"batch": {}}',
    "batch is text": b'{"batch": "x"}',
    "batch is a number": b'{"batch": 1e400}',
}


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/track"])
@pytest.mark.parametrize("name", BODIES)
def test_JS01_a_body_that_is_no_batch_of_calls_is_400(client: Client, path: str, name: str) -> None:
    answer = _post(client, path, BODIES[name])
    _fine(answer)
    # To a single call every object is a body.
    objects = ("no batch", "deep objects", *(n for n in BODIES if n.startswith("batch is")))
    taken = path == "/v1/track" and name in objects
    assert answer.status_code == (200 if taken else 400)


@pytest.mark.parametrize("packed", [b"\x1f\x8b", b"\x1f\x8b\x08\x00" + b"\xff" * 30, gzip.compress(DEEP, mtime=0)])
def test_JS01_a_packed_body_that_is_none_is_400(client: Client, packed: bytes) -> None:
    assert _post(client, "/v1/batch", packed, **{"content-encoding": "gzip"}).status_code == 400


ITEMS = {
    "NUL in a value": rb'{"type":"track","userId":"u","event":"e","properties":{"a":"x\u0000y"}}',
    "NUL in a key": rb'{"type":"track","userId":"u","event":"e","properties":{"\u0000":1}}',
    "NUL in an id": rb'{"type":"track","userId":"\u0000","event":"e"}',
    "NUL in a name": rb'{"type":"track","userId":"u","event":"\u0000"}',
    "NUL in the type": rb'{"type":"tr\u0000ck","userId":"u","event":"e"}',
    "NUL in a message id": rb'{"type":"track","userId":"u","event":"e","messageId":"\u0000"}',
    "half a pair": rb'{"type":"track","userId":"u","event":"e","properties":{"a":"\ud800"}}',
    "the other half": rb'{"type":"track","userId":"\udfff","event":"e"}',
    "half a pair as a key": rb'{"type":"track","userId":"u","event":"e","\udc00":1}',
    "half a pair as type": rb'{"type":"\ud800"}',
    "halves in the wrong order": rb'{"type":"track","userId":"u","event":"\udc00\ud800"}',
    "not a number": rb'{"type":"track","userId":"u","event":"e","properties":{"a":NaN}}',
    "infinity": rb'{"type":"track","userId":"u","event":"e","properties":{"a":[-Infinity]}}',
    "1e400": rb'{"type":"track","userId":"u","event":"e","properties":{"a":1e400}}',
    "a 5,000-digit number": rb'{"type":"track","userId":"u","event":"e","properties":{"a":' + HUGE + b"}}",
    "a negative one": rb'{"type":"track","userId":"u","event":"e","properties":{"a":-' + HUGE + b"}}",
    "a huge id": rb'{"type":"track","userId":' + HUGE + rb',"event":"e"}',
    "2^53 + 1": rb'{"type":"track","userId":"u","event":"e","properties":{"a":9007199254740993}}',
    "a key twice": rb'{"type":"track","userId":"u","event":"e","properties":{"a":1,"a":2}}',
    "a field twice": rb'{"type":"track","userId":"u","userId":"v","event":"e"}',
    "a huge key": rb'{"type":"track","userId":"u","event":"e","properties":{"' + b"k" * 30_000 + rb'":1}}',
    "a key beyond the index": rb'{"type":"identify","userId":"u","traits":{"' + b"k" * 256 + rb'":1}}',
    "a long name": rb'{"type":"track","userId":"u","event":"' + b"e" * 9_000 + rb'"}',
    "a long id": rb'{"type":"track","userId":"' + b"u" * 9_000 + rb'","event":"e"}',
    "30 levels": rb'{"type":"track","userId":"u","event":"e","properties":' + b'{"a":' * 30 + b"1" + b"}" * 30 + b"}",
    "15,000 levels": rb'{"type":"track","userId":"u","event":"e","properties":{"x":'
    + b"[" * 15_000
    + b"]" * 15_000
    + b"}}",
    "6,000 levels of objects": rb'{"type":"track","userId":"u","event":"e","x":'
    + b'{"":' * 6_000
    + b"1"
    + b"}" * 6_000
    + b"}",
    "deeper than an item may be long": rb'{"type":"track","userId":"u","event":"e","properties":' + DEEP + b"}",
    "600 levels": rb'{"type":"track","userId":"u","event":"e","properties":{"a":' + b"[" * 600 + b"]" * 600 + b"}}",
    "many keys": json.dumps(
        {"type": "track", "userId": "u", "event": "e", "properties": {str(n): n for n in range(501)}}
    ).encode(),
    "too large": json.dumps(
        {"type": "track", "userId": "u", "event": "e", "properties": {str(n): "x" * 8_000 for n in range(5)}}
    ).encode(),
    "year 99999": rb'{"type":"track","userId":"u","event":"e","timestamp":"99999-01-01T00:00:00Z"}',
    "a negative year": rb'{"type":"track","userId":"u","event":"e","timestamp":"-2026-01-01T00:00:00Z"}',
    "year 0": rb'{"type":"track","userId":"u","event":"e","timestamp":"0000-01-01T00:00:00Z"}',
    "before the calendar": rb'{"type":"track","userId":"u","event":"e","timestamp":"0001-01-01T00:00:00+23:59"}',
    "a time as a number": rb'{"type":"track","userId":"u","event":"e","timestamp":-1}',
    "a time beyond all": rb'{"type":"track","userId":"u","event":"e","timestamp":"9999-12-31T23:59:59-23:59"}',
    "out of the calendar": rb'{"type":"track","userId":"u","event":"e",'
    rb'"timestamp":"0001-01-01T00:00:00Z","sentAt":"9999-12-31T23:59:59Z"}',
    "null": b"null",
    "a list": b"[]",
    "text": b'"track"',
    "nothing": b"{}",
    "our own name": rb'{"type":"track","userId":"u","event":"$message_sent"}',
}


@pytest.mark.parametrize("name", ITEMS)
def test_JS01_a_bad_item_is_refused_and_kept_and_its_neighbours_are_taken(client: Client, name: str) -> None:
    good = b'{"type":"track","userId":"good","event":"e"}'
    answer = _post(client, "/v1/batch", b'{"batch":[' + good + b"," + ITEMS[name] + b"," + good + b"]}")
    assert answer.status_code == 200
    [rejected] = _fine(answer)["rejected"]
    assert rejected["index"] == 1
    kept = RejectedEvent.objects.get()
    assert (kept.position, kept.reason) == (1, rejected["reason"])
    assert kept.payload.isascii()
    if name == "15,000 levels":
        assert kept.payload.encode() == ITEMS[name]


@pytest.mark.parametrize("name", [name for name, item in ITEMS.items() if item.startswith(b'{"type":"track","')])
def test_JS01_so_is_a_bad_call_on_its_own(client: Client, name: str) -> None:
    assert [one["index"] for one in _fine(_post(client, "/v1/track", ITEMS[name]))["rejected"]] == [0]


GOOD: dict[str, Any] = {
    "identify": {"userId": "u", "anonymousId": "x", "traits": {"plan": "pro"}},
    "track": {"userId": "u", "event": "Visited", "properties": {}},
    "page": {"userId": "u", "name": "Home", "category": "Docs", "properties": {}},
    "screen": {"anonymousId": "x", "name": "Home", "properties": {}},
    "group": {"userId": "u", "groupId": "g", "traits": {"name": "G"}},
    "alias": {"userId": "u", "previousId": "x"},
}
WRONG: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    2**60,
    "",
    " ",
    "x",
    "x" * 300,
    [],
    ["x"],
    {},
    {"x": 1},
    [[]],
    {"": {}},
)


@pytest.mark.parametrize("kind", KINDS)
def test_JS01_every_field_may_be_of_every_wrong_type(client: Client, kind: str) -> None:
    batch = [{"type": kind, **GOOD[kind], field: value} for field in (*FIELDS, "email", "createdAt") for value in WRONG]
    batch += [
        {"type": kind, **GOOD[kind], "traits": {trait: value}}
        for trait in ("email", "phone", "firstName", "lastName", "timezone", "locale", "createdAt", "name", "", "$x")
        for value in WRONG
    ]
    answer = _post(client, "/v1/batch", json.dumps({"batch": batch}).encode())
    assert answer.status_code == 200
    _fine(answer)
    for item in batch[::7]:
        assert _post(client, f"/v1/{kind}", json.dumps(item).encode()).status_code == 200


def test_a_byte_order_mark_is_passed_over(client: Client) -> None:
    assert _fine(_post(client, "/v1/batch", b'\xef\xbb\xbf{"batch": []}')) == {"success": True}


text = st.text(st.characters(exclude_categories=[]), max_size=12)
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    text,
    st.sampled_from(["u", "x", "track", "identify", "a@example.com", "2026-11-24T10:00:00Z", "$message_sent", "\x00"]),
)
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text | st.sampled_from(FIELDS), inner, max_size=5),
    max_leaves=15,
)
items = st.one_of(
    anything,
    st.sampled_from(KINDS).flatmap(
        lambda kind: st.dictionaries(st.sampled_from(FIELDS), anything, max_size=4).map(
            lambda more: {"type": kind, **GOOD[kind], **more}
        )
    ),
)
bodies = st.one_of(
    st.binary(max_size=200),
    anything.map(json.dumps).map(str.encode),
    st.lists(items, max_size=6).map(lambda batch: json.dumps({"batch": batch}).encode()),
    items.map(json.dumps).map(str.encode),
    st.tuples(items, st.integers(0, 200)).map(lambda cut: json.dumps(cut[0]).encode()[: cut[1]]),
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=bodies, path=st.sampled_from(PATHS), encoding=st.sampled_from(["", "gzip", "claimed"]))
def test_JS01_whatever_is_sent_is_never_a_500(client: Client, raw: bytes, path: str, encoding: str) -> None:
    headers = {"content-encoding": "gzip"} if encoding else {}
    with transaction.atomic():
        _fine(_post(client, path, gzip.compress(raw) if encoding == "gzip" else raw, **headers))
        transaction.set_rollback(True)
