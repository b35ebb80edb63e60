import csv
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.db import connection

from profiles.imports import leftovers
from profiles.models import Event, EventDay, ImportJob

ROWS = 30_000
_IMPORT = """
import sys, django
from django.conf import settings
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
for database in settings.DATABASES.values():
    database["NAME"] = sys.argv[1]
django.setup()
from profiles.imports import running
running.CHUNK = 1_000
from django.core.management import call_command
call_command("import_events", sys.argv[2])
"""


def _start(path: Path) -> subprocess.Popen[str]:
    name = connection.settings_dict["NAME"]
    command = [sys.executable, "-c", _IMPORT, name, str(path)]
    return subprocess.Popen(command, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _rows_done() -> int:
    return ImportJob.objects.values_list("rows", flat=True).first() or 0


def _kill_behind(process: subprocess.Popen[str], rows: int) -> None:
    """Kills the import somewhere in the midst of its work, once it is past so many rows."""
    until = time.monotonic() + 60
    while process.poll() is None and _rows_done() < rows and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(random.uniform(0, 0.1))
    process.kill()
    process.communicate()


@pytest.mark.crash
def test_an_import_that_is_killed_again_and_again_stores_each_row_once(transactional_db: None, tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    with path.open("w") as file:
        file.write("user_id,event,timestamp\n")
        for row in range(ROWS):
            file.write(f"{'' if row % 10 == 3 else row % 500},e{row % 7},2026-03-{row % 28 + 1:02}T10:00:00Z\n")
    for kill in range(1, 4):
        _kill_behind(_start(path), kill * ROWS // 5)
        assert 0 < _rows_done() < ROWS, "it was killed in the midst of its work"
        assert Event.objects.count() == ImportJob.objects.get().stored
    said, _ = _start(path).communicate(timeout=120)
    good, bad = ROWS - ROWS // 10, ROWS // 10
    assert f"Read {ROWS:,} rows: {good:,} stored, 0 that had come before, {bad:,} refused." in said
    assert Event.objects.count() == Event.objects.values("message_id").distinct().count() == good
    assert sum(EventDay.objects.values_list("n", flat=True)) == good
    with leftovers.refused_file(path).open(newline="") as file:
        lines = [int(row["refused_line"]) for row in csv.DictReader(file)]
    assert lines == list(range(5, ROWS + 2, 10))
    said, _ = _start(path).communicate(timeout=60)
    assert "There is nothing to do" in said
