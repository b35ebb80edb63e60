import fcntl
import json
import multiprocessing
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.embedded import home


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home whose path is short, wherever the tests keep their files."""
    with tempfile.TemporaryDirectory(prefix="cairn-") as folder:
        monkeypatch.setenv("CAIRN_HOME", folder)
        yield Path(folder)


def test_a_secret_is_made_once_and_is_ours_alone(at_home: Path) -> None:
    first = home.secret("SECRET_KEY")
    assert len(first) >= 50
    assert home.secret("SECRET_KEY") == first
    assert home.secret("SUPPRESSION_KEY") != first
    path = at_home / "secrets" / "secret_key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_those_who_make_it_at_once_get_the_same_one() -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert len(set(pool.map(home.secret, ["SECRET_KEY"] * 40, chunksize=1))) == 1


def test_the_keys_of_links_are_a_ring_of_one() -> None:
    ring = json.loads(home.link_keys())
    assert list(ring) == ["1"]
    assert home.link_keys() == json.dumps(ring)


def test_sockets_are_in_a_folder_that_only_we_may_enter(at_home: Path) -> None:
    (at_home / "run").mkdir(mode=0o777)
    (at_home / "run").chmod(0o777)
    assert home.sockets() == at_home / "run"
    assert stat.S_IMODE((at_home / "run").stat().st_mode) == 0o700


def test_a_long_path_has_its_sockets_elsewhere(at_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAIRN_HOME", str(at_home / ("long" * 25)))
    sockets = home.sockets()
    try:
        assert len(str(sockets)) < 80
        assert home.sockets() == sockets
        monkeypatch.setenv("CAIRN_HOME", str(at_home / ("tall" * 25)))
        other = home.sockets()
        other.rmdir()
        assert other != sockets, "each home has its own"
    finally:
        sockets.rmdir()


def test_a_lock_is_anybodys_once_its_holder_let_go() -> None:
    with home.lock("test") as held:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with home.lock("test") as wanted, pytest.raises(BlockingIOError):
            fcntl.flock(wanted, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with home.lock("test") as wanted:
        fcntl.flock(wanted, fcntl.LOCK_EX | fcntl.LOCK_NB)
