"""`.ci/beside`, by which `make test` runs two stages beside each other."""

import os
import signal
import subprocess
import sys

from tests.crash.running import descendants, eventually
from tests.house.looking import BASE

_BESIDE = BASE / ".ci" / "beside"


def _runs(first: str, second: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([_BESIDE, "types", first, "tests", second], capture_output=True, text=True, timeout=30)


def _fails(words: str) -> str:
    return f'{sys.executable} -c "print({words!r}); raise SystemExit(2)"'


def test_each_says_all_that_it_has_to_say_and_either_fails_both() -> None:
    well = _runs("echo one", "echo two")
    assert (well.returncode, well.stdout) == (0, "── tests (and types beside it)\ntwo\n── types\none\n")
    first = _runs(_fails("one"), "echo two")
    assert (first.returncode, first.stdout.splitlines()[1:]) == (1, ["two", "── types", "one", "── types failed"])
    second = _runs("echo one", _fails("two"))
    assert (second.returncode, second.stdout.splitlines()[1:]) == (1, ["two", "── types", "one", "── tests failed"])
    assert _runs(_fails("one"), _fails("two")).stdout.endswith("── tests and types failed\n")


def test_ctrl_c_ends_both() -> None:
    # Whoever runs these tests in the background may have them inherit that Ctrl-C is ignored, which no script can undo.
    command = ["env", "--default-signal=INT", str(_BESIDE), "types", "sleep 60", "tests", "sleep 61"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        eventually(lambda: sum("sleep 6" in one.command for one in descendants(running.pid)) >= 2, 10, "both run")
        family = descendants(running.pid)
        os.killpg(running.pid, signal.SIGINT)
        assert running.wait(10) == 130
        eventually(lambda: not [one for one in family if one.lives()], 10, "both are gone")
    finally:
        running.kill()
