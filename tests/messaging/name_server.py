"""A small real DNS server over UDP, and servers with certificates, for looks at domains."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

Zone = dict[str, list[str]]
"""`name TYPE` to what stands there, as in a zone file. A name with `SILENT` is never answered."""


class NameServer:
    """Answers from `zone`, which a test sets; `asked` counts the questions."""

    def __init__(self) -> None:
        self.zone: Zone = {}
        self.asked = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            packet, sender = self._socket.recvfrom(4_096)
            if not packet:
                return
            self.asked += 1
            if answer := self._answer(packet):
                self._socket.sendto(answer, sender)

    def _answer(self, packet: bytes) -> bytes | None:
        query = dns.message.from_wire(packet)
        asked = query.question[0]
        name, kind = asked.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(asked.rdtype)
        if f"{name} SILENT" in self.zone:
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        at = name
        while found := self.zone.get(f"{at} CNAME"):
            response.answer.append(dns.rrset.from_text(f"{at}.", 60, "IN", "CNAME", found[0]))
            at = found[0].rstrip(".")
        if texts := self.zone.get(f"{at} {kind}"):
            response.answer.append(dns.rrset.from_text(f"{at}.", 60, "IN", kind, *texts))
        elif not any(one.startswith(f"{at} ") for one in self.zone):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()


def certified(folder: Path, *hosts: str, days: int = 90) -> Path:
    """A file with a key and a certificate for these hosts, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    now, name = datetime.now(UTC), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, hosts[0])])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{hosts[0]}-{days}.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


@contextlib.contextmanager
def serving(pem: Path | None, *, smtp: bool) -> Iterator[int]:
    """A port at which a server shows this certificate: at once, or, as mail servers do, when asked for STARTTLS."""
    listener = socket.create_server(("127.0.0.1", 0))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if pem else None
    if context and pem:
        context.load_cert_chain(pem)

    def serve() -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), line:
                line.settimeout(5)
                if smtp:
                    _greet(line, context)
                elif context:
                    with context.wrap_socket(line, server_side=True) as safe:
                        safe.recv(1)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def _greet(line: socket.socket, context: ssl.SSLContext | None) -> None:
    line.sendall(b"220 mail\r\n")
    while said := line.recv(1_000):
        if said.upper().startswith(b"EHLO"):
            line.sendall(b"250-mail\r\n250 STARTTLS\r\n" if context else b"250 mail\r\n")
        elif said.upper().startswith(b"STARTTLS") and context:
            line.sendall(b"220 go on\r\n")
            with context.wrap_socket(line, server_side=True) as safe:
                safe.recv(1_000)
            return
        else:
            line.sendall(b"221 bye\r\n")
            return
