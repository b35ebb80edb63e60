"""Mail that comes in: parsed once, whatever strangers write."""

from email.message import Message

import pytest

from foundation import inbound
from foundation.errors import Invalid

PLAIN = b"From: a@example.com\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHello\r\n"


def test_a_mail_is_parsed_and_its_headers_are_read_decoded() -> None:
    mail = inbound.parse(PLAIN, to="<Bounces+x@example.com>", sender="<>")
    assert (mail.to, mail.sender, mail.header("subject")) == ("Bounces+x@example.com", "", "Grüße")
    assert [inbound.text_of(part).strip() for part in mail.parts] == ["Hello"]
    assert mail.digest == inbound.parse(PLAIN, to="bounces+x@example.com").digest != inbound.parse(PLAIN).digest


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0\0\0",
        b"Content-Type: multipart/mixed; boundary=x\n\n--x\n",
        b"Content-Type: text/plain; charset=no-such\n\n\xff\xfe",
        b"Content-Type: text/plain; charset=undefined\n\nSTOP",
        b"Content-Type: text/plain; charset=idna\n\n\xff..x",
        b"Content-Type: text/plain; charset=unicode_escape\n\n\\ud83d",
        b"Subject: =?unicode_escape?q?=5Cud83d?=\n\n",
        b"Subject: " + b"=?utf-8?q?a?= " * 70_000 + b"\n\n",  # the next two took minutes
        b"Content-Type: text/plain" + b";" * 900_000 + b"\n\n",
        b"Content-Transfer-Encoding: base64\n\n!!!!",
        b"Subject: =?utf-8?b?////?=\n\n",
        b"Content-Type: multipart/mixed; boundary=\n\n--\n--\n",
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(3_000)),
    ],
)
def test_whatever_strangers_write_is_parsed(raw: bytes) -> None:
    mail = inbound.parse(raw)
    assert len(mail.parts) <= 100
    assert all(inbound.text_of(part).encode() is not None for part in mail.parts)
    assert mail.header("subject").encode() is not None
    assert mail.header("subject").isprintable()


def test_no_more_of_a_long_header_is_read_than_anybody_writes() -> None:
    part = Message()
    part["Subject"] = "a " * 50_000
    assert len(inbound.header(part, "Subject")) < 10_000
    assert len(inbound.parse(b"Subject: " + b"a" * 900_000 + b"\n\n").header("subject")) == 10_000


def test_a_mail_that_is_too_large_is_refused_with_a_sentence() -> None:
    with pytest.raises(Invalid, match="larger than"):
        inbound.parse(b"x" * (inbound.MOST_BYTES + 1))


@pytest.mark.parametrize(
    ("headers", "automatic"),
    [(b"", False), (b"Auto-Submitted: no\n", False), (b"Auto-Submitted: auto-replied; x=y\n", True),
     (b"Precedence: Bulk\n", True), (b"Precedence: normal\n", False)],
)  # fmt: skip
def test_em_05_what_a_program_wrote_is_told_apart(headers: bytes, automatic: bool) -> None:
    assert inbound.parse(headers + b"\nHello").is_automatic is automatic
