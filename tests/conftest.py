"""The ground of all tests: a real PostgreSQL with the two roles, the cast, and the clock."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import hypothesis
import pytest
from pytest_django.plugin import DjangoDbBlocker, blocking_manager_key

from config.embedded import broker, children, home, postgres
from profiles.models import Identifier, Profile

# How long an example takes depends on who else is at work: speed is for `make bench`.
hypothesis.settings.register_profile("cairn", deadline=None)
hypothesis.settings.load_profile("cairn")

TEMPLATE = "cairn_template"


@pytest.fixture(autouse=True)
def _journal(settings: Any) -> None:
    """Each test has a journal of erasures of its own, as it has a database of its own."""
    settings.ERASURE_JOURNAL = Path(os.environ["CAIRN_HOME"]) / f"erasures-{uuid4()}.jsonl"


_SERVER = pytest.StashKey[postgres.Server]()


def pytest_configure(config: pytest.Config) -> None:
    """Starts one throwaway server a run and makes the migrated database that every test's own is cloned from."""
    if hasattr(config, "workerinput"):
        return
    from django.core.management import call_command
    from django.db import connections

    # Nothing in it outlives the run, so it need not reach the disk.
    server = postgres.Server(
        Path(os.environ["CAIRN_HOME"]) / "postgres" / "data",
        home.sockets(),
        fsync="off",
        synchronous_commit="off",
        full_page_writes="off",
        file_copy_method="clone",
    )
    server.start()
    server.ensure_database(TEMPLATE)
    config.stash[_SERVER] = server
    connections["owner"].settings_dict["NAME"] = TEMPLATE
    with config.stash[blocking_manager_key].unblock():
        call_command("migrate", verbosity=0)
        connections["owner"].close()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Who does which tests, where several processes share them."""
    from tests.together import Together

    return Together(config, log)


def pytest_unconfigure(config: pytest.Config) -> None:
    server = config.stash.get(_SERVER, None)
    if server is not None:
        server.stop()
        shutil.rmtree(os.environ["CAIRN_HOME"], ignore_errors=True)


def _clone(name: str) -> None:
    server = postgres.server()
    with server.connect() as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER {postgres.OWNER} STRATEGY FILE_COPY")


def _point_at(name: str) -> None:
    from django.db import connections

    for alias in ("default", "owner"):
        connections[alias].close()
        connections[alias].settings_dict["NAME"] = name


@pytest.fixture(scope="session")
def database_name() -> str:
    return f"test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"


@pytest.fixture(scope="session")
def django_db_setup(database_name: str, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Each worker has its own clone; tests run in it as the app role, which owns nothing."""
    with django_db_blocker.unblock():
        _clone(database_name)
        _point_at(database_name)
        yield
        _point_at(database_name)  # closes what is open


@pytest.fixture
def _django_db_helper(
    request: pytest.FixtureRequest, django_db_setup: None, database_name: str, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """What stands behind `db`, `transactional_db`, `live_server` and the mark `django_db`.

    A test that commits gets a fresh clone and no flush, since that is a TRUNCATE, which the ledger refuses. Any other
    is rolled back, as pytest-django does it.
    """
    marker = request.node.get_closest_marker("django_db")
    commits = {"transactional_db", "live_server"} & set(request.fixturenames)
    if not commits and not (marker and marker.kwargs.get("transaction")):
        request.getfixturevalue("_django_db_helper")  # pytest-django's, which this one covers
        yield
        return
    name = f"{database_name}_committed"
    with django_db_blocker.unblock():
        _clone(name)
        _point_at(name)
        yield
        _point_at(database_name)


@pytest.fixture(scope="session")
def broker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker, for tests of what it is told."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAIRN_HOME", str(tmp_path_factory.mktemp("broker")))
        url, command = broker.url(), broker.command()
        running = children.spawn(command, stdout=subprocess.DEVNULL)
        try:
            assert children.wait_for(broker.answers, running, 10)
        except BaseException:
            children.stop(running, signal.SIGTERM, 5)
            raise
    yield url
    children.stop(running, signal.SIGTERM, 5)


@pytest.fixture
def now() -> datetime:
    """The moment at which a test plays, unless it says otherwise: a Tuesday, ten o'clock."""
    return datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> None:
    """The database that the test plays in: a clone of its own where it asked for `transactional_db`, else `db`."""
    request.getfixturevalue("transactional_db" if "transactional_db" in request.fixturenames else "db")


@pytest.fixture
def person(database: None, now: datetime) -> Callable[..., Profile]:
    """Makes people, known by `external_id`, or anonymous without one."""

    def make(external_id: str | None = None, **fields: Any) -> Profile:
        seen = fields.pop("seen", now)
        profile = Profile.objects.create(external_id=external_id, first_seen_at=seen, last_seen_at=seen, **fields)
        kind = Identifier.Kind.USER if external_id else Identifier.Kind.ANONYMOUS
        Identifier.objects.create(kind=kind, value=external_id or str(profile.id), profile=profile, created_at=seen)
        return profile

    return make


@pytest.fixture
def ada(person: Callable[..., Profile]) -> Profile:
    """Ada, a known person with an address."""
    return person("ada", email="ada@example.com", first_name="Ada", attributes={"plan": "pro"})


@pytest.fixture
def ben(person: Callable[..., Profile]) -> Profile:
    """Ben, a known person with an address."""
    return person("ben", email="ben@example.com", first_name="Ben", attributes={"plan": "trial"})


@pytest.fixture
def cleo(person: Callable[..., Profile]) -> Profile:
    """Cleo, of whom nothing is known but what she does."""
    return person()
