"""The tracking API as clients see it."""

import base64
import gzip
import json
import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from foundation import clock, strict_json
from profiles import calls, ingest, views
from profiles.models import Account, Event, Profile, Pulse, RejectedEvent
from staff import keys
from staff.models import Key
from tests.profiles.told import events_of, somebody

Send = Callable[..., Any]


@pytest.fixture
def key(db: None) -> Callable[..., str]:
    def make(kind: Key.Kind = Key.Kind.SERVER, **options: Any) -> str:
        return keys.create(f"Test {kind}", kind=kind, now=clock.now(), **options)[1]

    return make


@pytest.fixture
def send(key: Callable[..., str]) -> Send:
    """Posts to the tracking API with a server's write key, unless `secret` says otherwise."""
    ours = key()

    def post(path: str, body: Any, *, secret: str = ours, **headers: str) -> Any:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        user = base64.b64encode(f"{secret}:".encode()).decode()
        return Client().post(
            path, data=raw, content_type="application/json", headers={"authorization": f"Basic {user}", **headers}
        )

    return post


def track(**fields: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Visited", "userId": "u", **fields}


# ── Calls ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("name", ["batch", "import", "b"])
def test_a_batch_is_answered_when_it_is_stored(send: Send, name: str, slash: str) -> None:
    answer = send(f"/v1/{name}{slash}", {"batch": [track(), track(event="Paid")]})
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert sorted(events_of("u")) == ["Paid", "Visited"]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("short", [True, False])
def test_each_call_has_an_address_of_its_own(send: Send, short: bool, slash: str) -> None:
    calls = {
        "identify": {"userId": "u", "traits": {"plan": "pro"}},
        "track": {"userId": "u", "event": "Visited"},
        "page": {"userId": "u", "name": "Home"},
        "screen": {"userId": "u", "name": "Home"},
        "group": {"userId": "u", "groupId": "g"},
        "alias": {"userId": "u", "previousId": "x"},
    }
    for kind, body in calls.items():
        answer = send(f"/v1/{kind[0] if short else kind}{slash}", body)
        assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert sorted(events_of("x")) == ["Visited", "page", "screen"]
    assert somebody("u").attributes == {"plan": "pro"}
    assert somebody("u").account == Account.objects.get(external_id="g")


def test_the_address_says_what_kind_of_call_it_is(send: Send) -> None:
    send("/v1/track", {"type": "identify", "userId": "u", "event": "Visited", "traits": {"plan": "pro"}})
    assert events_of("u") == ["Visited"]
    assert somebody("u").attributes == {}


def test_what_cannot_be_taken_stands_beside(send: Send) -> None:
    answer = send("/v1/batch", {"batch": [track(), {"type": "nope"}, track(userId=None)]})
    assert answer.status_code == 200
    assert answer.json() == {
        "success": True,
        "rejected": [
            {"index": 1, "reason": "type: must be one of identify, track, page, screen, group, alias"},
            {"index": 2, "reason": "It names nobody; send a userId or an anonymousId."},
        ],
    }
    assert RejectedEvent.objects.count() == 2


def test_a_single_call_that_cannot_be_taken_has_index_0(send: Send, key: Callable[..., str]) -> None:
    secret = key()
    body = {"userId": "u", "writeKey": secret}
    answer = Client().post("/v1/track", data=json.dumps(body), content_type="application/json")
    assert answer.status_code == 200
    [rejected] = answer.json()["rejected"]
    assert rejected["index"] == 0 and rejected["reason"].startswith("event:")
    assert RejectedEvent.objects.get().source == "key:Test server"
    assert secret not in RejectedEvent.objects.get().payload


def test_a_key_within_a_call_is_not_kept(send: Send, key: Callable[..., str]) -> None:
    secret = key()
    answer = send("/v1/batch", {"batch": [track(event=None, writeKey=secret)], "writeKey": secret})
    assert [one["index"] for one in answer.json()["rejected"]] == [0]
    assert json.loads(RejectedEvent.objects.get().payload) == track(event=None)


def test_of_nonsense_by_the_ten_thousands_all_is_answered_and_some_is_kept(send: Send) -> None:
    raw = b'{"batch":[' + b",".join([b"1"] * 200_000) + b"]}"
    answer = send("/v1/batch", raw)
    assert [one["index"] for one in answer.json()["rejected"]] == list(range(200_000))
    last = RejectedEvent.objects.latest("position")
    assert (RejectedEvent.objects.count(), last.position) == (5_001, 5_000)
    assert last.reason.startswith("195,000 more items of this batch were refused")


def test_times_are_corrected_by_when_it_was_sent(send: Send) -> None:
    sent = datetime.fromisoformat("2020-01-01T00:00:00+00:00")
    stamp = (sent - timedelta(hours=1)).isoformat()
    send("/v1/batch", {"batch": [track(timestamp=stamp)], "sentAt": sent.isoformat()})
    send("/v1/track", track(timestamp=stamp, sentAt=sent.isoformat()))
    for event in Event.objects.all():
        assert event.received_at - event.occurred_at == timedelta(hours=1)


@pytest.mark.parametrize("bad", [None, "soon", 5, {}, [], True, "99999-01-01T00:00:00Z"])
def test_without_a_good_sending_time_the_timestamp_counts(send: Send, bad: Any) -> None:
    send("/v1/batch", {"batch": [track(timestamp="2026-01-02T03:04:05Z")], "sentAt": bad})
    assert Event.objects.get().occurred_at == datetime.fromisoformat("2026-01-02T03:04:05+00:00")


@pytest.mark.parametrize(("value", "history"), [(True, True), (False, False), (None, False)])
def test_history_is_said_once_for_a_batch(send: Send, value: Any, history: bool) -> None:
    send("/v1/batch", {"batch": [track()], "historical": value})
    assert Pulse.objects.get().cause == ("history" if history else "event")


@pytest.mark.parametrize("value", ["false", "true", "", 0, 1, [], {}, {"x": "x" * 8_000}])
def test_whether_it_is_history_is_not_guessed(send: Send, value: Any) -> None:
    own = track(event="Old", historical=True)
    for answer in (
        send("/v1/batch", {"batch": [track(), 5, own], "historical": value}),
        send("/v1/track", track(historical=value)),
    ):
        assert answer.status_code == 200
        assert answer.json()["rejected"][0] == {"index": 0, "reason": "historical: must be true or false"}
    assert [event.type.name for event in Event.objects.all()] == ["Old"]
    assert len(RejectedEvent.objects.filter(position=0).earliest("pk").payload) < 300


def test_no_body_is_read_twice_for_the_same_id(send: Send) -> None:
    for _ in range(3):
        assert send("/v1/track", track(messageId="m")).json() == {"success": True}
    assert Event.objects.count() == 1


# ── Keys ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_key_may_stand_in_the_body(key: Callable[..., str]) -> None:
    secret = key()
    for content_type in ("application/json", "text/plain"):  # the second is what a closing page can send
        body = {"batch": [track()], "writeKey": secret}
        answer = Client().post("/v1/batch", data=json.dumps(body), content_type=content_type)
        assert answer.status_code == 200
    assert Event.objects.count() == 2


def test_a_wrong_key_is_401(send: Send, key: Callable[..., str], now: datetime) -> None:
    revoked = key()
    keys.revoke(Key.objects.get(prefix=revoked[:8]), now=now)
    for secret in ("", "wk_nonsense", revoked, key(Key.Kind.SECRET, scopes=["all"]), "\x00", "\ud800"):
        encoded = base64.b64encode(f"{secret}:".encode("utf-8", "surrogatepass")).decode()
        for headers, body in (
            ({"authorization": f"Basic {encoded}"}, {"batch": []}),
            ({}, {"batch": [], "writeKey": secret}),
        ):
            answer = Client().post("/v1/batch", data=json.dumps(body), content_type="application/json", headers=headers)
            assert answer.status_code == 401
            assert "write key" in answer.json()["error"]
    for header in ("Basic", "Basic !!!", "Basic /w==", "Bearer x", "x"):
        answer = Client().post(
            "/v1/track", data=json.dumps(track()), content_type="application/json", headers={"authorization": header}
        )
        assert answer.status_code == 401
    assert not Profile.objects.exists() and not RejectedEvent.objects.exists()


def test_an_empty_user_name_leaves_it_to_the_key_in_the_body(send: Send, key: Callable[..., str]) -> None:
    for path, body in (("/v1/batch", {"batch": [track()]}), ("/v1/track", track())):
        assert send(path, {**body, "writeKey": key()}, secret="").status_code == 200
        assert send(path, {**body, "writeKey": "wk_wrong"}, secret="").status_code == 401
        assert send(path, {**body, "writeKey": key()}, secret="wk_wrong").status_code == 401


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/track"])
@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b"x" * 600_000])
def test_a_wrong_key_is_said_before_a_wrong_body(send: Send, path: str, body: bytes) -> None:
    assert send(path, body, secret="wk_wrong").status_code == 401
    assert send(path, body).status_code in (400, 413)
    if path == "/v1/batch":
        assert send(path, {"batch": 5, "writeKey": "wk_wrong"}, secret="").status_code == 401
        assert send(path, {"batch": 5}).status_code == 400


@pytest.mark.parametrize("value", [5, None, [], {}, True])
def test_a_key_of_the_wrong_type_is_a_wrong_key(db: None, value: Any) -> None:
    answer = Client().post("/v1/batch", data={"batch": [], "writeKey": value}, content_type="application/json")
    assert answer.status_code == 401


def test_RL01_over_the_limit_is_429_with_the_time_to_wait(send: Send, key: Callable[..., str]) -> None:
    limited = key(rate_per_minute=5)
    assert send("/v1/batch", {"batch": [track()] * 5}, secret=limited).status_code == 200
    answer = send("/v1/batch", {"batch": [track()] * 5}, secret=limited)
    assert answer.status_code == 429
    assert 1 <= int(answer["Retry-After"]) <= 60
    assert Event.objects.count() == 5
    assert send("/v1/batch", {"batch": [track()] * 5}).status_code == 200  # another key is none the worse


def test_RL01_a_batch_larger_than_the_allowance_goes_through_and_is_paid_off(
    send: Send, key: Callable[..., str]
) -> None:
    browser = key(Key.Kind.BROWSER)
    batch = {"batch": [{"type": "track", "event": "e", "userId": "u"}] * 6_001}
    assert send("/v1/batch", batch, secret=browser).json() == {"success": True}
    answer = send("/v1/batch", batch, secret=browser)
    assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (429, "*")
    assert 55 <= int(answer["Retry-After"]) <= 61
    assert Event.objects.count() == 6_001


@pytest.mark.parametrize("in_body", [True, False])
def test_AZ05_a_page_can_read_what_was_wrong(
    send: Send, key: Callable[..., str], in_body: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at(kind: Key.Kind, body: Any) -> Any:
        secret = key(kind)
        if in_body and isinstance(body, dict):
            return send("/v1/batch", {**body, "writeKey": secret}, secret="")
        return send("/v1/batch", body, secret=secret)

    def asked(body: Any, status: int) -> None:
        for kind in (Key.Kind.BROWSER, Key.Kind.SERVER):
            answer = at(kind, body)
            assert answer.status_code == status
            assert ("Access-Control-Allow-Origin" in answer) is (kind == Key.Kind.BROWSER)

    asked({"batch": 5}, 400)
    asked(b"nonsense", 400)
    asked(_filled(600_000), 413)
    full = [keys.create(f"Full {kind}", kind=kind, now=clock.now())[1] for kind in (Key.Kind.BROWSER, Key.Kind.SERVER)]
    monkeypatch.setattr(ingest, "take", _away)
    for secret, is_open in zip(full, (True, False), strict=True):
        answer = send("/v1/batch", {"batch": [track()]}, secret=secret)
        assert answer.status_code == 503
        assert ("Access-Control-Allow-Origin" in answer) is is_open
    monkeypatch.setattr(keys, "authenticate", _away)
    for secret, is_open in zip(full, (True, False), strict=True):
        answer = send("/v1/batch", {"batch": [track()]}, secret=secret)
        assert answer.status_code == 503
        assert ("Access-Control-Allow-Origin" in answer) is is_open


def _away(*_: Any, **__: Any) -> None:
    raise OperationalError("the database is away")


def test_AZ05_whoever_could_not_say_their_key_may_read_that_the_body_is_none(db: None) -> None:
    answer = Client().post("/v1/batch", data=b"nonsense", content_type="text/plain")
    assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (400, "*")


def test_AZ05_only_a_browsers_key_may_be_read_from_other_sites(send: Send, key: Callable[..., str]) -> None:
    browser = key(Key.Kind.BROWSER)
    assert send("/v1/track", track(), secret=browser)["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Origin" not in send("/v1/track", track())
    assert "Access-Control-Allow-Origin" not in send("/v1/track", track(), secret="wb_wrong")
    for path in ("/v1/batch", "/v1/identify"):
        preflight = Client().options(path, headers={"origin": "https://example.com"})
        assert preflight.status_code == 204
        assert preflight["Access-Control-Allow-Origin"] == "*"
        assert "Authorization" in preflight["Access-Control-Allow-Headers"]
        assert "Access-Control-Allow-Credentials" not in preflight


def test_AZ05_a_browsers_key_says_less(send: Send, key: Callable[..., str]) -> None:
    browser = key(Key.Kind.BROWSER)
    send("/v1/identify", {"userId": "u", "traits": {"email": "ada@example.com"}})
    answer = send("/v1/identify", {"userId": "u", "traits": {"email": "evil@example.com", "a": 1}}, secret=browser)
    assert answer.json() == {"success": True}
    assert (somebody("u").email, somebody("u").attributes) == ("ada@example.com", {"a": 1})


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "head"])
def test_there_is_nothing_to_read(db: None, method: str) -> None:
    answer = getattr(Client(), method)("/v1/batch")
    assert (answer.status_code, answer["Allow"]) == (405, "POST, OPTIONS")


# ── Bodies ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _gzipped(body: Any) -> bytes:
    return gzip.compress(body if isinstance(body, bytes) else json.dumps(body).encode())


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip"])
def test_a_body_may_be_gzipped(send: Send, encoding: str) -> None:
    answer = send("/v1/batch", _gzipped({"batch": [track()]}), **{"content-encoding": encoding})
    assert answer.status_code == 200
    assert Event.objects.count() == 1


def test_gzip_in_several_members_is_one_body(send: Send) -> None:
    raw = json.dumps({"batch": [track()]}).encode()
    packed = gzip.compress(raw[:20]) + gzip.compress(raw[20:])
    assert send("/v1/batch", packed, **{"content-encoding": "gzip"}).status_code == 200


@pytest.mark.parametrize(
    ("raw", "encoding"),
    [
        (b"", "gzip"),
        (b'{"batch": []}', "gzip"),
        (gzip.compress(b'{"batch": []}', mtime=0)[:-9], "gzip"),
        (gzip.compress(b'{"batch": []}', mtime=0) + b"rest", "gzip"),
        (gzip.compress(b'{"batch": []}', mtime=0) + b"\x00\x00rest", "gzip"),
        (b"\x1f\x8b" + b"\x00" * 50, "gzip"),
        (b'{"batch": []}', "br"),
    ],
)
def test_what_is_not_packed_as_it_says_is_400(send: Send, raw: bytes, encoding: str) -> None:
    answer = send("/v1/batch", raw, **{"content-encoding": encoding})
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_gzip_may_be_padded_with_zeros(send: Send) -> None:
    packed = gzip.compress(json.dumps({"batch": [track()]}).encode()) + b"\x00" * 511
    assert send("/v1/batch", packed, **{"content-encoding": "gzip"}).status_code == 200


@pytest.mark.parametrize(("size", "status"), [(512_000, 200), (512_001, 413)])
def test_JS02_what_counts_is_the_unpacked_size_though_the_packed_be_larger(send: Send, size: int, status: int) -> None:
    packed = gzip.compress(_filled(size), 0)
    assert len(packed) > 512_000
    assert send("/v1/batch", packed, **{"content-encoding": "gzip"}).status_code == status


def test_many_small_members_are_read_in_no_time(send: Send) -> None:
    packed = gzip.compress(b'{"batch": []}') + gzip.compress(b"") * 45_000
    began = time.monotonic()
    assert send("/v1/batch", packed, **{"content-encoding": "gzip"}).status_code == 200
    assert time.monotonic() - began < 5


def test_chunks_that_the_server_does_not_join_are_411_with_what_to_do(send: Send) -> None:
    answer = send("/v1/batch", {"batch": [track()]}, **{"transfer-encoding": "chunked"})
    assert answer.status_code == 411
    assert "Content-Length" in answer.json()["error"]


def _filled(size: int) -> bytes:
    """A batch whose body has just so many bytes."""
    empty = json.dumps({"batch": [], "pad": ""}).encode()
    return json.dumps({"batch": [], "pad": "x" * (size - len(empty))}).encode()


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(("size", "status"), [(512_000, 200), (512_001, 413), (3_000_000, 413)])
def test_JS02_512000_bytes_unpacked_are_fine_and_one_more_is_413(
    send: Send, packed: bool, size: int, status: int
) -> None:
    raw = _filled(size)
    headers = {"content-encoding": "gzip"} if packed else {}
    assert send("/v1/batch", _gzipped(raw) if packed else raw, **headers).status_code == status


def test_a_small_body_cannot_fill_the_memory(send: Send) -> None:
    bomb = gzip.compress(b"\x00" * 300_000_000, 9)
    assert len(bomb) < 512_000
    assert send("/v1/batch", bomb, **{"content-encoding": "gzip"}).status_code == 413


@pytest.mark.parametrize("ensure_ascii", [True, False])
@pytest.mark.parametrize(("size", "refused"), [(32_768, False), (32_769, True)])
def test_JS02_an_item_is_measured_in_bytes_as_it_was_sent(
    send: Send, ensure_ascii: bool, size: int, refused: bool
) -> None:
    text = json.dumps(track(properties={"a": ["é" * 1_000] * 5}), ensure_ascii=ensure_ascii)
    # Spaces count as well, where they stand inside the item.
    item = text[:-1] + " " * (size - len(text.encode())) + "}"
    neighbour = json.dumps(track())
    batch = send("/v1/batch", f'{{"batch": [ {item} , {neighbour}]}}'.encode()).json()
    single = send("/v1/track", item.encode()).json()
    for answer in (batch, single):
        assert [one["index"] for one in answer.get("rejected", [])] == ([0] if refused else [])
    assert Event.objects.count() == (1 if refused else 3)


# ── What is written down ─────────────────────────────────────────────────────────────────────────────────────────────


def test_LG01_nothing_of_a_person_is_logged(send: Send, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    canary = "canary-zq@example.com"
    send(
        "/v1/batch", {"batch": [{"type": "identify", "userId": canary, "traits": {"email": canary}}, {"email": canary}]}
    )
    send("/v1/identify", {"userId": canary, "traits": {"email": canary, "bad\x00": canary}})
    send("/v1/batch", json.dumps({"batch": canary}).encode())
    send("/v1/batch", f'{{"batch": [{canary}]}}'.encode())
    for record in caplog.records:
        if record.name != "django.db.backends":  # written only where DEBUG is on
            assert canary not in record.getMessage()
            assert record.levelno < logging.WARNING or "Bad Request" in record.getMessage()


def test_the_documentation_names_the_limits_that_there_are() -> None:
    text = (Path(__file__).parents[2] / "docs" / "tracking.md").read_text()
    for limit in (
        *(f"{n:,}" for n in (views.MAX_BODY, calls.MAX_ITEM_BYTES, strict_json.MAX_STRING_BYTES)),
        f"most {strict_json.MAX_DEPTH} levels, {strict_json.MAX_KEYS} keys",
        f"{strict_json.MAX_KEY_CHARACTERS} characters a key",
        f"at most {calls.MAX_ID_BYTES} bytes",
        f"at most {calls.MAX_NAME_CHARACTERS} characters",
    ):
        assert limit in text
    for kind in calls.Kind:
        assert f"`{kind.value}`" in text
