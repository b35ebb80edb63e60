"""Bodies of requests, whether their length is told or not."""

from io import BytesIO
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from foundation import bodies

MOST = 1_000


class Trickle(BytesIO):
    """A connection: it gives what has come, which may be less than was asked for."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(7 if size is None or size < 0 else min(size, 7))


def sent(raw: bytes, **environ: Any) -> WSGIRequest:
    asked: dict[str, Any] = {"wsgi.input": Trickle(raw), "CONTENT_LENGTH": None, **environ}
    return RequestFactory().generic("PUT", "/", **asked)


CHUNKED = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
HTTP2 = {"wsgi.input_terminated": True}


@given(raw=st.binary(max_size=MOST), way=st.sampled_from([CHUNKED, HTTP2, {"length": True}]))
def test_the_whole_body_is_read_and_stays_to_be_read(raw: bytes, way: dict[str, Any]) -> None:
    request = sent(raw, **({"CONTENT_LENGTH": str(len(raw))} if "length" in way else way))
    assert bodies.read(request, MOST) == raw
    assert bodies.read(request, MOST) == raw
    assert request.body == raw
    assert request.META["CONTENT_LENGTH"] == str(len(raw))
    assert request.read() == raw


@pytest.mark.parametrize("way", [CHUNKED, HTTP2, {"CONTENT_LENGTH": str(MOST + 1)}])
def test_no_more_is_read_than_may_come(way: dict[str, Any]) -> None:
    stream = Trickle(b"x" * MOST * 100)
    with pytest.raises(bodies.TooLarge):
        bodies.read(sent(b"", **{**way, "wsgi.input": stream}), MOST)
    assert stream.tell() <= MOST + 1


@pytest.mark.parametrize("way", [CHUNKED, HTTP2, {"CONTENT_LENGTH": str(MOST * 100)}])
def test_what_is_too_long_can_be_read_to_its_end(way: dict[str, Any]) -> None:
    stream = Trickle(b"x" * MOST * 100)
    request = sent(b"", **{**way, "wsgi.input": stream})
    with pytest.raises(bodies.TooLarge):
        bodies.read(request, MOST)
    bodies.drain(request)
    assert stream.tell() == MOST * 100


def test_chunks_that_the_server_does_not_join_are_refused_with_what_to_do() -> None:
    with pytest.raises(bodies.LengthRequired, match="Content-Length"):
        bodies.read(sent(b'{"a": 1}', HTTP_TRANSFER_ENCODING="chunked"), MOST)


def test_without_a_word_of_its_length_a_body_of_such_a_server_is_none() -> None:
    assert bodies.read(sent(b""), MOST) == b""
