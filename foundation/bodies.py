"""Bodies of requests, also those whose length nobody tells beforehand: sent in chunks, or over HTTP/2.

Django reads as many bytes as CONTENT_LENGTH says, and so takes such a body for none.
"""

from io import BytesIO
from typing import Protocol

from django.http import HttpRequest

LENGTH_REQUIRED = "Say how long the body is in Content-Length: here it cannot be read otherwise."
_DRAINED, _PIECE = 20_000_000, 65_536


class _Stream(Protocol):
    def read(self, most: int, /) -> bytes: ...


class LengthRequired(Exception):
    """There is a body, and this server cannot tell where it ends; its answer is 411."""

    def __init__(self) -> None:
        super().__init__(LENGTH_REQUIRED)


class TooLarge(Exception):
    """The body is longer than it may be; its answer is 413."""


def read(request: HttpRequest, most: int) -> bytes:
    """The body, which `request.body` gives from then on, too. Raises `LengthRequired`, `TooLarge`, or `OSError`."""
    if most < _said(request):
        raise TooLarge
    raw = request.body if hasattr(request, "_body") else _upto(_stream(request), most + 1)
    if len(raw) > most:
        raise TooLarge
    request._body = raw
    request._stream = BytesIO(raw)
    request.META["CONTENT_LENGTH"] = str(len(raw))
    return raw


def drain(request: HttpRequest) -> None:
    """Reads on and forgets it: many clients look for an answer when all is sent, and else see a broken connection.

    What is longer than anybody sends by mistake is not waited for.
    """
    stream, left = _stream(request), _DRAINED
    try:
        while left > 0 and (piece := stream.read(_PIECE)):
            left -= len(piece)
    except OSError:
        return


def _stream(request: HttpRequest) -> _Stream:
    in_chunks = "HTTP_TRANSFER_ENCODING" in request.META
    if request.META.get("wsgi.input_terminated") and (in_chunks or not request.META.get("CONTENT_LENGTH")):
        stream: _Stream = request.META["wsgi.input"]  # it ends where the body does
        return stream
    if in_chunks:
        raise LengthRequired
    return request


def _said(request: HttpRequest) -> int:
    length = request.META.get("CONTENT_LENGTH") or ""
    return int(length) if length.isdecimal() else 0


def _upto(stream: _Stream, most: int) -> bytes:
    parts, left = [], most
    while left and (part := stream.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
