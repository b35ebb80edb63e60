import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from config.embedded import broker, children, postgres
from tests.crash.running import Up, eventually, new_home

pytestmark = [pytest.mark.crash]

SECRETS = {"SECRET_KEY": "s" * 60, "LINK_KEYS": '{"1": "0123456789abcdef"}', "SUPPRESSION_KEY": "k" * 60}


@dataclass(frozen=True)
class Servers:
    """A PostgreSQL and a broker that somebody else runs."""

    app: dict[str, str]
    owner: dict[str, str]


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    folder = new_home()
    sockets = folder / "run"
    sockets.mkdir(mode=0o700)
    database = postgres.Server(folder / "data", sockets, fsync="off")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAIRN_HOME", str(folder))
        queue = children.spawn(broker.command(), stdout=subprocess.DEVNULL)
        try:
            database.start()
            database.ensure_database()
            assert children.wait_for(broker.answers, queue, 10)

            def as_role(role: str) -> str:
                return f"postgres://{role}@{quote(str(sockets), safe='')}/{postgres.DATABASE}"

            app = {"DATABASE_URL": as_role(postgres.APP), "CELERY_BROKER_URL": broker.url(), **SECRETS}
            yield Servers(app, {**app, "DATABASE_OWNER_URL": as_role(postgres.OWNER)})
        finally:
            children.stop(queue, signal.SIGTERM, 5)
            database.stop()


def _says(up: Up, words: str, patience: float = 60) -> None:
    eventually(lambda: any(words in line for line in up.lines), patience, f"{words!r} in {up.lines}")


def test_parts_on_their_own_machines_work_as_one(servers: Servers) -> None:
    running: list[Up] = []

    def up(part: str, env: dict[str, str]) -> Up:
        running.append(Up(new_home(), "--only", part, **env))
        return running[-1]

    try:
        web, working = up("web", servers.app), up("worker,beat", servers.app)
        _says(web, "Waiting: ")
        maintenance = up("maintenance", servers.owner)
        _says(maintenance, "Running: maintenance.")
        _says(working, "Running: worker, beat.")
        web.await_ready()
        web.await_run("journeys.react")
        for one in running:
            told = [Path(f"/proc/{found.pid}/environ").read_bytes() for found in one.family()]
            assert any(b"DATABASE_OWNER_URL" in found for found in told) == (one is maintenance)
        assert [one.end(signal.SIGTERM) for one in running] == [0, 0, 0]
    finally:
        for one in running:
            one.make_sure_it_is_gone()


_REFUSED = [
    (["--only", "web,cook"], True, "There is no part 'cook': choose of web, worker, beat, maintenance."),
    (["--only", ","], True, "--only names no part"),
    (["--only", "maintenance"], True, "The part maintenance needs DATABASE_OWNER_URL"),
    (["--only", "web"], False, "--only is for real servers"),
]


def test_what_cannot_run_is_refused_in_words(servers: Servers) -> None:
    asked = [Up(new_home(), *words, **(servers.app if configured else {})) for words, configured, _ in _REFUSED]
    for refused, (_, _, sentence) in zip(asked, _REFUSED, strict=True):
        assert refused.process.wait(60) == 1
        _says(refused, sentence, 5)
        assert not any("Traceback" in line for line in refused.lines)


def test_a_port_that_is_taken_is_named() -> None:
    folder = new_home()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = Up(folder, PORT=str(port))
        assert refused.process.wait(60) == 1
        _says(refused, f"Web cannot listen on 127.0.0.1:{port} (Address already in use): set PORT, or HOST.", 5)
    assert not (folder / "postgres").exists(), "and nothing was started"
