"""Calls to addresses of others: where they may go, what bounds them, what is known after them, and signatures."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from foundation import addresses, outgoing
from foundation.outgoing import Result, post
from tests.receiving import Receiver, is_signed, receiving

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    with receiving() as found:
        settings.OUTGOING_HOSTS = [found.host]
        yield found


def call(url: str, **options: Any) -> outgoing.Outcome:
    return post(url, b"{}", headers={"Content-Type": "application/json"}, now=NOW, **{"timeout": 5, **options})


# ── Where they may go ────────────────────────────────────────────────────────────────────────────────────────────────
NOT_PUBLIC = [
    "127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "0.0.0.0", "10.0.0.1", "172.16.3.4", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "192.0.0.8", "192.88.99.1", "198.18.0.1", "224.0.0.1", "240.0.0.1",
    "255.255.255.255", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::a]",
    "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[fe80::1]", "[fc00::1]", "[fec0::1]", "[5f00::1]", "[ff02::1]",
    "localhost",
]  # fmt: skip


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every connection that is tried, none of which is made."""
    tried: list[Any] = []

    def refuse(address: Any, *_: Any, **__: Any) -> socket.socket:
        tried.append(address)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", refuse)
    return tried


@pytest.mark.parametrize("host", NOT_PUBLIC)
def test_ss_01_no_connection_is_made_to_what_is_not_public(host: str, nowhere: list[Any], settings: Any) -> None:
    settings.OUTGOING_HTTP = True
    for scheme in ("http", "https"):
        outcome = call(f"{scheme}://{host}/latest/meta-data/")
        assert outcome.result is Result.REFUSED
        assert outcome.reason == "The address leads into a network that is not public."
    assert nowhere == []


@pytest.mark.parametrize("address", ["9.9.9.9", "2620:fe::fe", "::ffff:9.9.9.9"])
def test_what_is_public_is_called_by_the_address_that_was_judged(address: str, nowhere: list[Any]) -> None:
    outcome = call("https://hooks.example.com/x", resolve=lambda host, port: [address])
    assert (outcome.result, nowhere) == (Result.LATER, [(address, 443)])
    assert outcome.reason == "No connection: connection refused."


def test_ss_01_one_address_inside_is_enough_to_refuse_a_name(nowhere: list[Any]) -> None:
    outcome = call("https://hooks.example.com/x", resolve=lambda host, port: ["9.9.9.9", "10.0.0.1"])
    assert (outcome.result, nowhere) == (Result.REFUSED, [])


def test_ss_01_a_name_that_leads_elsewhere_a_moment_later_is_asked_once_a_call(
    nowhere: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([["9.9.9.9"], ["127.0.0.1"], ["127.0.0.1"]])

    def rebinding(host: str, port: int) -> list[str]:
        return next(answers)

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("the name was asked for again"))
    assert call("https://hooks.example.com/", resolve=rebinding).result is Result.LATER
    assert call("https://hooks.example.com/", resolve=rebinding).result is Result.REFUSED
    assert nowhere == [("9.9.9.9", 443)]


def test_ss_01_redirects_are_not_followed(receiver: Receiver) -> None:
    with receiving() as canary:
        receiver.says(302, location=canary.url)
        outcome = call(receiver.url)
        assert (outcome.result, outcome.status, canary.received) == (Result.REFUSED, 302, [])
    receiver.says(307, location="http://169.254.169.254/latest/meta-data/")
    assert call(receiver.url).result is Result.REFUSED


def test_ss_01_proxies_of_the_environment_are_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as canary:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://{canary.host}")
        assert call(receiver.url).done
        assert canary.received == []


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://example.com/", "must begin with https://"),
        ("https://example.com:8443/", "must not name a port other than 443"),
        ("https://ada:secret@example.com/", "must not hold a name or a password"),
        ("https://exa mple.com/", "must be an address without blanks and control characters"),
        ("https://example.com/\r\nX: y", "must be an address without blanks and control characters"),
        ("https://example.com\\@127.0.0.1/", "must be an address without blanks and control characters"),
        ("ftp://example.com/", "must be an address such as https://example.com/hook"),
        ("https://[::1/", "must be an address such as https://example.com/hook"),
        ("https://example.com:99999/", "must be an address such as https://example.com/hook"),
        ("https://example.com/\ud83d", "must be an address such as https://example.com/hook"),
        ("https:///path", "must be an address such as https://example.com/hook"),
        (f"https://{'a' * 70}.com/", "must be an address such as https://example.com/hook"),
        (17, "must be an address such as https://example.com/hook, of at most 2000 characters"),
    ],
)
def test_an_address_that_could_never_be_called_is_told_by_a_sentence(url: Any, reason: str) -> None:
    assert addresses.flaw(url) == reason
    assert addresses.flaw("https://exämple.com/hook?a=b") == ""


def test_names_of_another_alphabet_go_over_the_wire_as_ascii() -> None:
    place = addresses.read("https://exämple.com/a b".replace(" ", "é") + "?q=ü")
    assert (place.authority, place.target) == ("xn--exmple-cua.com", "/a%C3%A9b?q=%C3%BC")


# ── What bounds them, and what is known after them ───────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("status", "result"),
    [
        (200, Result.DONE), (204, Result.DONE), (301, Result.REFUSED), (400, Result.REFUSED), (410, Result.REFUSED),
        (408, Result.LATER), (429, Result.LATER), (503, Result.LATER), (500, Result.IN_DOUBT), (502, Result.IN_DOUBT),
    ],
)  # fmt: skip
def test_the_status_says_whether_it_may_be_sent_again(receiver: Receiver, status: int, result: Result) -> None:
    receiver.says(status)
    outcome = call(receiver.url)
    assert (outcome.result, outcome.status) == (result, status)
    assert receiver.received[0].headers["host"] == receiver.host


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("120", timedelta(minutes=2)),
        ("Tue, 24 Nov 2026 10:05:00 GMT", timedelta(minutes=5)),
        ("Tue, 24 Nov 2026 09:00:00 GMT", timedelta()),
        ("99999999", timedelta(days=1)),
        ("soon", None),
        ("Tue, 24 Nov 99999999999999999999 10:05:00 GMT", None),
        ("Tue, 24 Nov 2026 10:05:00 +99999999999999999999", None),
    ],
)
def test_a_receiver_says_how_long_it_wants_to_be_left_alone(
    receiver: Receiver, value: str, wait: timedelta | None
) -> None:
    receiver.says(429, retry_after=value)
    assert call(receiver.url).retry_after == wait


def test_an_answer_is_read_up_to_64_kilobytes(receiver: Receiver) -> None:
    receiver.says(200, body=b"x" * 500_000)
    assert len(call(receiver.url).body) == 65_536
    assert post(receiver.url, b"x" * 300_000, headers={}, now=NOW).result is Result.REFUSED


@contextmanager
def raw(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that takes one connection and does with it what `talk` does; its port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection:
            try:
                talk(connection)
            except OSError:
                return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.close()
        thread.join(5)


def test_who_drips_byte_by_byte_gains_no_time(settings: Any) -> None:
    over = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while not over.wait(0.02):
            connection.sendall(b"X-More: 1\r\n"[:1])

    with raw(drip) as port:
        settings.OUTGOING_HOSTS = [f"127.0.0.1:{port}"]
        outcome = call(f"http://127.0.0.1:{port}/", timeout=0.4)
        over.set()
    assert (outcome.result, outcome.reason) == (
        Result.IN_DOUBT,
        "It was sent, and no answer came: it took too long.",
    )


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 2", b"\x00\xff rubbish\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200]
)
def test_an_answer_that_is_none_leaves_it_in_doubt(answer: bytes, settings: Any) -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(answer)

    with raw(talk) as port:
        settings.OUTGOING_HOSTS = [f"127.0.0.1:{port}"]
        assert call(f"http://127.0.0.1:{port}/").result is Result.IN_DOUBT


def test_a_name_that_leads_nowhere_may_lead_somewhere_later() -> None:
    def nobody(host: str, port: int) -> list[str]:
        raise OSError("its name leads nowhere")

    outcome = call("https://hooks.example.com/", resolve=nobody)
    assert (outcome.result, outcome.reason) == (
        Result.LATER,
        "The address cannot be found: its name leads nowhere.",
    )


def test_tls_is_spoken_by_name_and_only_with_whom_it_names(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _certificate(tmp_path, "hooks.example.com")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    heard: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as safe:
            heard.append(safe.recv(65_536))
            safe.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def here(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    outgoing._tls.cache_clear()
    try:
        for name, result in (("hooks.example.com", Result.DONE), ("other.example.com", Result.LATER)):
            with raw(talk) as port:
                settings.OUTGOING_HOSTS = [f"{name}:{port}"]
                assert call(f"https://{name}:{port}/hook", resolve=here).result is result
        assert len(heard) == 1
        assert b"Host: hooks.example.com:" in heard[0]
    finally:
        outgoing._tls.cache_clear()


def _certificate(folder: Path, name: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    cert = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


# ── Signatures ───────────────────────────────────────────────────────────────────────────────────────────────────────
def test_ss_02_a_signature_is_that_of_the_specification() -> None:
    # The example of the Standard Webhooks libraries.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    at = datetime.fromtimestamp(1614265330, UTC)
    assert (
        outgoing.sign([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", at, body)
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_ss_02_while_keys_are_rotated_both_secrets_verify(receiver: Receiver, settings: Any) -> None:
    settings.LINK_KEYS = {"1": "an old key of sixteen", "2": "a new key of sixteen"}
    old, new = outgoing.secrets()
    headers = outgoing.sign_headers([old, new], "msg_1", NOW, b"{}")
    assert post(receiver.url, b"{}", headers=headers, now=NOW).done
    request = receiver.received[0]
    assert is_signed(request, old)
    assert is_signed(request, new)
    assert not is_signed(request, outgoing.secret_of("somebody else's key"))


def test_a_secret_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="whsec_"):
        outgoing.sign(["whsec_not base64!"], "1", NOW, b"")
