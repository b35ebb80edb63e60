import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import redis

from config.embedded import home
from tests.crash.conftest import FirstStart
from tests.crash.running import Ended, Process, Up, eventually, new_home

pytestmark = [pytest.mark.crash]


Find = Callable[[list[Process], int], list[Process]]


def _children_of(words: str) -> Find:
    """The children of `up` that run `words`."""
    return lambda family, top: [process for process in family if process.parent == top and words in process.command]


def _grandchildren_of(words: str) -> Find:
    def find(family: list[Process], top: int) -> list[Process]:
        parents = {process.pid for process in _children_of(words)(family, top)}
        ours = [process for process in family if process.parent in parents]
        return [process for process in ours if "resource_tracker" not in process.command]

    return find


ROLES: dict[str, Find] = {
    "the keeper of the database": _children_of("config.embedded.keeper"),
    "the database": _grandchildren_of("config.embedded.keeper"),
    "the broker": _children_of("valkey-server"),
    "web": _children_of("granian"),
    "a process of web": _grandchildren_of("granian"),
    "the worker": _children_of("config.celery worker"),
    "a process of the worker": _grandchildren_of("config.celery worker"),
    "beat": _children_of("config.celery beat"),
    "maintenance": _children_of(" maintain "),
}


def _is_dead(process: Process) -> bool:
    return not process.lives()


def _are_as_many(up: Up, find: Find, as_before: int) -> bool:
    return len(find(up.family(), up.process.pid)) == as_before


def test_FM15_FM21_whoever_is_killed_comes_back_and_the_work_goes_on(up: Up) -> None:
    for role, find in ROLES.items():
        before = find(up.family(), up.process.pid)
        assert before, f"there is no {role}: {up.family()}"
        os.kill(before[0].pid, signal.SIGKILL)
        eventually(partial(_is_dead, before[0]), 5, f"{role} is dead")
        eventually(partial(_are_as_many, up, find, len(before)), 20, f"{role} is there again")
        up.await_run("journeys.react")
        up.await_ready()


def test_only_maintenance_can_become_the_owner_of_the_tables(up: Up) -> None:
    role_of = {"web": "app", "the worker": "app", "beat": "app", "maintenance": "maintenance"}
    for role, expected in role_of.items():
        (process,) = ROLES[role](up.family(), up.process.pid)
        environ = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
        assert f"CAIRN_SUPERVISED={expected}".encode() in environ, role


def _manage(up: Up, *words: str) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [sys.executable, home.BASE / "manage.py", *words]
    return subprocess.run(command, env=up.env, capture_output=True, text=True, timeout=30)


def test_a_second_one_is_refused_and_harms_nothing(up: Up) -> None:
    second = _manage(up, "up")
    assert second.returncode == 1
    assert f"Cairn already runs with this CAIRN_HOME ({up.folder}, process {up.process.pid})" in second.stderr
    assert "Traceback" not in second.stderr
    assert up.is_ready()


def test_a_command_finds_the_database_that_runs(up: Up) -> None:
    asked = _manage(up, "syncschedule")
    assert asked.returncode == 0, asked.stderr
    assert up.is_ready()


_NONSENSE = {
    "no JSON": b"\xff{{",
    "no message": b'{"body": 5}',
    "a list": b"[]",
    "a task that is not known": json.dumps(
        {
            "body": base64.b64encode(b"[[], {}, {}]").decode(),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": {"task": "rm.everything", "id": "1", "lang": "py", "argsrepr": "()", "kwargsrepr": "{}"},
            "properties": {
                "body_encoding": "base64",
                "delivery_info": {"exchange": "", "routing_key": "celery"},
                "delivery_tag": "1",
            },
        }
    ).encode(),
}


def _is_taken(queue: redis.Redis, word: bytes) -> bool:
    return word not in queue.lrange("celery", 0, -1)


def test_FM14_nonsense_in_the_queue_stops_nobody(up: Up) -> None:
    with redis.Redis(unix_socket_path=str(up.folder / "run" / "broker")) as queue:
        for nonsense in _NONSENSE.values():
            queue.lpush("celery", nonsense)
        for nonsense in _NONSENSE.values():
            eventually(partial(_is_taken, queue, nonsense), 30, "all of it was taken")
    up.await_run("journeys.react")
    up.await_ready()


def test_its_clock_is_moved_while_it_runs(up: Up) -> None:
    until = f"{datetime.now(UTC) + timedelta(days=40):%Y-%m-%dT%H:00:00+00:00}"
    moved = _manage(up, "tick", "--until", until, "--step", "5d")
    assert moved.returncode == 0, moved.stderr
    assert f"It is {until.replace('T', ' ')}. In all: " in moved.stdout
    again = _manage(up, "tick", "--until", "2026-01-01")
    assert again.returncode == 1
    assert f"It is {until.replace('T', ' ')} already: the clock moves forwards only" in again.stderr
    up.await_run("journeys.react")
    up.await_ready()


def _is_well(ended: Ended) -> bool:
    return ended.code == 0 and ended.took < 10 and not ended.left and "Traceback" not in ended.said


def test_FM42_after_its_first_start_CTRL_C_ends_all_within_ten_seconds(first_start: FirstStart) -> None:
    assert _is_well(first_start.ended), first_start.ended


def test_FM42_asked_to_end_it_ends_all_within_ten_seconds(short_lived: Up) -> None:
    ended = short_lived.asked_to_end(signal.SIGTERM)
    assert "Applying" not in ended.said, "what is there was kept"
    assert _is_well(ended), ended


def test_asked_to_end_while_it_starts_it_ends() -> None:
    up = Up(new_home())
    try:
        eventually(lambda: any("Starting the database" in line for line in up.lines), 30, "it starts")
        time.sleep(0.3)
        family = up.family()
        assert up.end(signal.SIGTERM) == 0, "\n".join(up.lines)
        eventually(lambda: not [process for process in family if process.lives()], 10, "all are gone")
    finally:
        up.make_sure_it_is_gone()


def test_killed_it_leaves_no_process_behind(short_lived: Up) -> None:
    family = short_lived.family()
    assert len(family) > 8
    short_lived.process.kill()
    short_lived.process.wait()
    eventually(lambda: not [process for process in family if process.lives()], 10, f"all are gone of {family}")
