import csv
import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from profiles.imports import leftovers, plans, reading, running
from profiles.imports.reading import Row
from profiles.models import Event, ImportJob, Profile, Pulse
from staff.models import AuditEntry

pytestmark = pytest.mark.django_db

Write = Callable[..., Path]
HEADER = "user_id,event,timestamp"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str | bytes, name: str = "file.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def _run(command: str, path: Path, *options: str) -> str:
    said = StringIO()
    call_command(command, str(path), *options, stdout=said, stderr=said)
    return said.getvalue()


def _refused(path: Path) -> list[dict[str, str]]:
    with leftovers.refused_file(path).open(newline="") as file:
        return list(csv.DictReader(file))


def _job() -> tuple[Any, ...]:
    return ImportJob.objects.values_list("state", "rows", "stored", "repeated", "refused").get()


# ── Events ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_events_come_in_with_their_properties_as_values(write: Write) -> None:
    path = write(
        "user_id,event,timestamp,format,seats,paid,zip,price,note\n"
        "ada,report_exported,2026-03-01T10:00:00Z,pdf,3,true,00123,9.50,\n"
        "7,signed up,2026-03-01 11:00:00+01:00,,,FALSE,+49,1e3,yes\n"
    )
    assert "Read 2 rows: 2 stored, 0 that had come before, 0 refused." in _run("import_events", path)
    first, second = Event.objects.order_by("id")
    assert (first.type.name, first.profile.external_id) == ("report_exported", "ada")
    assert first.occurred_at == second.occurred_at == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert first.properties == {"format": "pdf", "seats": 3, "paid": True, "zip": "00123", "price": 9.5}
    assert second.properties == {"paid": False, "zip": "+49", "price": 1000.0, "note": "yes"}
    assert second.profile.external_id == "7"
    assert set(Pulse.objects.values_list("cause", flat=True)) == {"history"}
    assert not leftovers.refused_file(path).exists()


@pytest.mark.parametrize(
    "header",
    [
        "userId;eventName;time",
        "User ID\tEvent\tTimestamp",
        "external_id|event|occurred_at",
        "anonymousId,event,event_time",
    ],
)
def test_sensible_headers_and_delimiters_are_understood(write: Write, header: str) -> None:
    sign = next(sign for sign in ";\t|," if sign in header)
    _run("import_events", write(f"\ufeff{header}\r\n" + sign.join(["ada", "x", "2026-03-01"]) + "\r\n"))
    assert Event.objects.get().type.name == "x"


def test_names_of_an_old_platform_are_mapped(write: Write) -> None:
    path = write("distinct_id,action,at,Plan Name\nada,Signed Up,1772359200,pro\nben,Left,1772359200000,basic\n")
    maps = ["distinct_id=user_id", "action=event", "at=timestamp", "Signed Up=signed_up", "Plan Name=plan"]
    _run("import_events", path, *(f"--map={one}" for one in maps))
    assert set(Event.objects.values_list("type__name", "occurred_at", "properties__plan")) == {
        ("signed_up", datetime(2026, 3, 1, 10, tzinfo=UTC), "pro"),
        ("Left", datetime(2026, 3, 1, 10, tzinfo=UTC), "basic"),
    }


def test_json_lines_flat_and_as_calls_of_the_tracking_api(write: Write) -> None:
    lines = [
        {"user_id": "ada", "event": "old", "timestamp": "2026-03-01T00:00:00Z", "n": 1, "deep": {"a": [True]}},
        {"type": "track", "userId": "ada", "event": "old", "timestamp": "2026-03-02T00:00:00Z", "messageId": "m1",
         "sentAt": "2026-03-02T00:00:01Z", "properties": {"n": 2}, "context": {"ip": "x"}, "channel": "server"},
        {"type": "page", "anonymousId": "d", "name": "Home", "timestamp": "2026-03-03T00:00:00Z"},
        {"type": "identify", "userId": "ada", "traits": {"email": "ada@example.com"}, "timestamp": "2026-03-03"},
    ]  # fmt: skip
    path = write("\n\n".join(json.dumps(line) for line in lines) + "\n", "archive.jsonl")
    assert "4 stored" in _run("import_events", path, "--map", "old=new")
    assert list(Event.objects.order_by("occurred_at").values_list("type__name", "properties")) == [
        ("new", {"n": 1, "deep": {"a": [True]}}),
        ("new", {"n": 2}),
        ("page", {"name": "Home"}),
    ]
    assert Event.objects.get(message_id="m1").occurred_at == datetime(2026, 3, 2, tzinfo=UTC)
    assert Profile.objects.get(external_id="ada").email == "ada@example.com"


def test_a_packed_file_reads_as_it_would_unpacked(write: Write) -> None:
    _run("import_events", write(gzip.compress(f"{HEADER}\nada,x,2026-03-01\n".encode()), "events.csv.gz"))
    assert Event.objects.count() == 1


def test_rows_without_an_id_get_one_from_the_file_and_the_row(write: Write) -> None:
    path = write(f"{HEADER}\nada,x,2026-03-01\nada,x,2026-03-01\n")
    _run("import_events", path)
    ids = list(Event.objects.order_by("id").values_list("message_id", flat=True))
    digest = reading.look(path).digest[:40]
    assert ids == [f"{digest}:2", f"{digest}:3"]


def test_rows_with_an_id_are_stored_once_whatever_the_file(write: Write) -> None:
    _run("import_events", write(f"{HEADER},message_id\nada,x,2026-03-01,a\nada,x,2026-03-01,a\n", "one.csv"))
    said = _run("import_events", write(f"{HEADER},message_id\nada,x,2026-03-01,a\nada,x,2026-03-01,b\n", "two.csv"))
    assert "1 stored, 1 that had come before" in said
    assert Event.objects.count() == 2


def test_the_same_finished_file_again_says_so_and_does_nothing(write: Write) -> None:
    path = write(f"{HEADER}\nada,x,2026-03-01\n")
    _run("import_events", path)
    said = _run("import_events", path.rename(path.with_name("other.csv")))
    assert "imported before: 1 stored" in said and "nothing to do" in said
    assert Event.objects.count() == 1


def test_refused_rows_lie_beside_the_file_with_their_line_and_reason(write: Write) -> None:
    path = write(f"{HEADER},formula\nada,x,2026-03-01,ok\n,x,2026-03-01,=1+1\nada,$ours,2026-03-01,-5\nada,x,soon,\n")
    said = _run("import_events", path)
    assert "Read 4 rows: 1 stored, 0 that had come before, 3 refused." in said
    assert str(leftovers.refused_file(path)) in said
    rows = _refused(path)
    assert [row["refused_line"] for row in rows] == ["3", "4", "5"]
    assert "names nobody" in rows[0]["refused_reason"] and "begins with $" in rows[1]["refused_reason"]
    assert [row["formula"] for row in rows] == ["'=1+1", "'-5", ""]
    assert _job() == ("done", 4, 1, 0, 3)
    assert sum(ImportJob.objects.get().reasons.values()) == 3


def test_refused_rows_can_be_mended_and_imported_in_turn(write: Write) -> None:
    path = write(f"{HEADER},formula\nada,$x,2026-03-01,=1+1\n")
    _run("import_events", path)
    mended = leftovers.refused_file(path)
    mended.write_text(mended.read_text().replace("$x", "x"))
    _run("import_events", mended)
    assert Event.objects.get().properties == {"formula": "=1+1"}


def test_CS02_what_cannot_be_read_costs_no_other_row(write: Write) -> None:
    good = [f"ada,x,2026-03-{day:02}" for day in range(1, 8)]
    bad = [
        b"ada,x",
        b"ada,x,2026-03-01,one,too,many",
        b"ad\xffa,x,2026-03-01",
        b"ad\x00a,x,2026-03-01",
        b'"never closed,x,2026-03-01',
        b"ada," + b"x" * 200_000 + b",2026-03-01",
    ]
    lines = [HEADER.encode(), *(line for pair in zip(bad, map(str.encode, good), strict=False) for line in pair)]
    path = write(b"\n".join([*lines, good[-1].encode(), b""]))
    assert "Read 13 rows: 7 stored" in _run("import_events", path)
    assert [int(row["refused_line"]) for row in _refused(path)] == [2, 4, 6, 8, 10, 12]
    reasons = " ".join(ImportJob.objects.get().reasons)
    for words in ("2 columns, and the header 3", "6 columns", "not UTF-8: byte 3", "NUL", "quote", "longer than"):
        assert words in reasons


def test_a_stray_quote_within_a_cell_is_just_a_quote(write: Write) -> None:
    _run("import_events", write(f'{HEADER},size\nada,x,2026-03-01,5" screen\nada,x,2026-03-02,"6"" and\nmore"\n'))
    assert set(Event.objects.values_list("properties__size", flat=True)) == {'5" screen', '6" and\nmore'}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "is empty"),
        (b" \n \n", "is empty"),
        ("user_id,event,timestamp\n".encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04rest", "spreadsheet"),
        (b'[{"user_id": 1}]', "each of its objects on a line"),
        (b"ada,x,2026-03-01\n", "No column says who"),
        (b"user_id,timestamp\n1,2026\n", "No column is named event"),
        (b"user_id,event\n1,x\n", "No column is named timestamp"),
        (b"user_id,event,timestamp,\n", "Column 4 has no name in line 1"),
        (b"user_id,event,timestamp,a,a\n", "names the column 'a' twice"),
        (b"user_id,event,timestamp,b\xe9\n", "Line 1, which should name the columns, cannot be read"),
        (b"user_id,event," + b",".join(b"c%d" % n for n in range(600)), "602 columns"),
        (gzip.compress(b"user_id,event,timestamp\nada,x,2026-03-01\n", mtime=0)[:-9], "cannot be"),
    ],
)
def test_a_file_that_cannot_be_imported_is_refused_in_a_sentence(write: Write, text: bytes, words: str) -> None:
    with pytest.raises(CommandError, match=words):
        _run("import_events", write(text))
    assert not ImportJob.objects.filter(state="done").exists()


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"none.csv is no file"):
        _run("import_events", tmp_path / "none.csv")
    with pytest.raises(CommandError, match="is no file"):
        _run("import_events", tmp_path)


def test_another_encoding_can_be_named(write: Write) -> None:
    path = write(f"{HEADER},city\nada,x,2026-03-01,Zürich\n".encode("windows-1252"))
    _run("import_events", path, "--encoding", "windows-1252")
    assert Event.objects.get().properties == {"city": "Zürich"}
    for wrong in ("utf-16", "nonsense"):
        with pytest.raises(CommandError, match=r"UTF-8|no encoding"):
            _run("import_events", path, "--encoding", wrong)


def test_a_dry_run_says_what_would_be_and_stores_nothing(write: Write) -> None:
    path = write(f"{HEADER}\nada,x,2026-03-01\n,x,2026-03-01\n")
    assert "Nothing was stored. An import would read 2 rows: 1 stored" in _run("import_events", path, "--dry-run")
    assert not (Event.objects.exists() or ImportJob.objects.exists() or leftovers.refused_file(path).exists())


# ── People ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_people_come_in_with_columns_attributes_and_company(write: Write) -> None:
    path = write(
        "id,Email,First Name,lastName,phone,created_at,language,company_id,plan,seats\n"
        "1,ada@example.com,Ada,Lovelace,+44 20 7946,2026-01-05,en-GB,acme,pro,12\n"
        "2,no address,Ben,,,,,,,\n"
    )
    assert "Read 2 rows: 1 stored, 0 that had come before, 1 refused." in _run("import_profiles", path)
    ada = Profile.objects.get()
    assert (ada.external_id, ada.email, ada.first_name, ada.last_name) == ("1", "ada@example.com", "Ada", "Lovelace")
    assert (ada.phone, ada.locale, ada.created_at) == ("+44 20 7946", "en-GB", datetime(2026, 1, 5, tzinfo=UTC))
    assert ada.attributes == {"plan": "pro", "seats": 12}
    assert ada.account is not None and ada.account.external_id == "acme"


def test_newer_values_stand_against_an_older_file(write: Write, ada: Profile) -> None:
    _run("import_profiles", write("id,plan,updated_at\nada,new,2026-05-01\n", "new.csv"))
    _run("import_profiles", write("id,plan,theme,updated_at\nada,old,dark,2026-04-01\n", "old.csv"))
    ada.refresh_from_db()
    assert ada.attributes == {"plan": "new", "theme": "dark"}


def test_people_from_json_lines(write: Write) -> None:
    lines = [{"user_id": 1, "email": "a@example.com", "tags": ["x", 1]}, {"userId": "2", "traits": {"plan": "pro"}}]
    _run("import_profiles", write("".join(json.dumps(line) + "\n" for line in lines), "people.ndjson"))
    assert dict(Profile.objects.values_list("external_id", "attributes")) == {
        "1": {"tags": ["x", 1]},
        "2": {"plan": "pro"},
    }


# ── Stopping and going on ───────────────────────────────────────────────────────────────────────────────────────────


def _many(n: int) -> str:
    rows = (f"u{row % 7},x,2026-03-01T00:{row // 60 % 60:02}:{row % 60:02}Z" if row % 5 else ",x," for row in range(n))
    return "\n".join([HEADER, *rows]) + "\n"


def test_a_stopped_import_goes_on_where_it_was(write: Write, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "CHUNK", 10)
    path = write(_many(55))
    calls = iter(range(100))

    def stopping() -> datetime:
        if next(calls) == 4:
            raise KeyboardInterrupt
        return now

    with monkeypatch.context() as patch, pytest.raises(SystemExit) as stopped:
        patch.setattr("foundation.clock.now", stopping)
        _run("import_events", path)
    assert stopped.value.code == 130
    state, rows, *_ = _job()
    assert state == "cancelled" and 0 < rows < 55 and rows % 10 == 0
    with pytest.raises(CommandError, match="begun with no --map"):
        _run("import_events", path, "--map", "x=y")
    _run("import_events", path)
    assert _job() == ("done", 55, 44, 0, 11)
    assert Event.objects.count() == 44
    assert [int(row["refused_line"]) for row in _refused(path)] == list(range(2, 57, 5))


def test_refused_rows_of_a_chunk_that_never_committed_are_not_told_twice(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "CHUNK", 10)
    path = write(_many(30))
    _run("import_events", path)
    whole = leftovers.refused_file(path).read_text()
    ImportJob.objects.update(state="running", rows=10)  # as after a crash between the writing and the commit
    _run("import_events", path)
    assert leftovers.refused_file(path).read_text() == whole


def test_an_import_is_written_into_the_audit_trail(write: Write) -> None:
    _run("import_events", write(f"{HEADER}\nada,x,2026-03-01\n"))
    entries = AuditEntry.objects.order_by("id").values_list("actor", "verb", "kind")
    assert list(entries) == [
        ("command:import_events", "begin", "import"),
        ("command:import_events", "import", "import"),
    ]


# ── Meaning ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@given(st.text(max_size=30))
def test_CS01_a_cell_is_safe_and_reads_back_as_it_was(text: str) -> None:
    cell = leftovers.safe(text)
    assert not leftovers._FORMULA.match(cell)
    plain = text.replace("\0", "")
    if not plain.startswith("'"):
        assert (cell[1:] if reading._ESCAPED.match(cell) else cell) == plain


@given(
    st.one_of(st.integers(-(10**15) + 1, 10**15 - 1), st.booleans(), st.floats(-1e9, 1e9).map(lambda x: round(x, 6)))
)
def test_a_value_written_as_text_is_guessed_back(value: Any) -> None:
    text = json.dumps(value)
    guessed = plans.guessed(text)
    assert guessed == value and type(guessed) is type(value)


@pytest.mark.parametrize(
    "text", ["007", "+49", "1.", ".5", "1,5", "0x10", "NaN", "Infinity", "yes", "1 ", "1_000", "١"]
)
def test_what_is_no_number_stays_text(text: str) -> None:
    assert plans.guessed(text) == text


_cells = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\ufeff"), max_size=12)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(_cells, _cells, _cells), max_size=8))
def test_whatever_csv_holds_comes_out_cell_by_cell(tmp_path: Path, rows: list[tuple[str, str, str]]) -> None:
    path = tmp_path / "any.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("a", "b", "c"), *map(_unescaped, rows)])
    with reading.opened(reading.look(path)) as source:
        read = list(source)
    assert all(isinstance(row, Row) and not row.problem for row in read)
    assert [tuple(row.values.values()) for row in read] == [_unescaped(row) for row in rows]


def _unescaped(row: tuple[str, str, str]) -> tuple[str, ...]:
    return tuple(cell.lstrip("'") for cell in row)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=st.binary(max_size=300))
def test_any_bytes_are_read_to_the_end_row_by_row(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(b"user_id,event,timestamp\n" + garbage)
    with reading.opened(reading.look(path)) as rows:
        lines = [row.line for row in rows]
    assert lines == sorted(set(lines))
