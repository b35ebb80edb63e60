import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import environment
from config.embedded import home

SECRETS = {"SECRET_KEY": "s" * 60, "LINK_KEYS": '{"1": "0123456789abcdef"}', "SUPPRESSION_KEY": "k" * 60}


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IT", raising=False)


def test_what_is_unset_or_empty_has_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.text("IT", "so") == "so"
    assert environment.number("IT", 7) == 7
    assert environment.flag("IT", True)
    assert environment.words("IT", ["a"]) == ["a"]
    monkeypatch.setenv("IT", " ")
    assert environment.text("IT", "so") == "so"
    assert environment.number("IT", 7) == 7
    assert environment.words("IT", ["a"]) == ["a"]
    assert not environment.flag("IT", True), "set to nothing it is off"


def test_what_is_set_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IT", "12")
    assert environment.number("IT", 7) == 12
    monkeypatch.setenv("IT", "a.example, b.example,")
    assert environment.words("IT", []) == ["a.example", "b.example"]
    for yes in ("1", "true", "YES", "on"):
        monkeypatch.setenv("IT", yes)
        assert environment.flag("IT")


@pytest.mark.parametrize("found", ["-1", "1.5", "ten", "0", "1e3"])
def test_a_number_is_whole_and_large_enough(monkeypatch: pytest.MonkeyPatch, found: str) -> None:
    monkeypatch.setenv("IT", found)
    with pytest.raises(ImproperlyConfigured, match=r"IT is '.*'; it must be a whole number of at least 1\."):
        environment.number("IT", 7, least=1)


def test_a_flag_says_yes_or_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IT", "perhaps")
    with pytest.raises(ImproperlyConfigured, match="say 'true' or 'false'"):
        environment.flag("IT")


def test_a_choice_names_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.choice("IT", ("", "manual")) == ""
    monkeypatch.setenv("IT", "auto")
    with pytest.raises(ImproperlyConfigured, match="IT is 'auto'; it may be unset or 'manual'"):
        environment.choice("IT", ("", "manual"))


@pytest.mark.parametrize(
    "found", ["crm.example.com", "ftp://crm.example.com", "https://", "https://crm.example.com/crm"]
)
def test_an_origin_is_an_address_without_a_path(monkeypatch: pytest.MonkeyPatch, found: str) -> None:
    monkeypatch.setenv("IT", found)
    with pytest.raises(ImproperlyConfigured, match=r"like https://crm\.example\.com, without a path"):
        environment.origin("IT", "")
    monkeypatch.setenv("IT", "https://crm.example.com/")
    assert environment.origin("IT", "") == "https://crm.example.com"


def test_a_zone_is_one_of_iana(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IT", "Europe/Vienna")
    assert environment.zone("IT", "UTC") == "Europe/Vienna"
    for wrong in ("CEST", "../../etc/passwd", "Mars/Base"):
        monkeypatch.setenv("IT", wrong)
        with pytest.raises(ImproperlyConfigured, match="is no time zone"):
            environment.zone("IT", "UTC")


@pytest.mark.parametrize("found", ["", "[]", "{}", '{"1": "short"}', '{"1": 5}', "secret"])
def test_a_ring_of_keys_is_an_object_of_long_keys(found: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="IT must be a JSON object"):
        environment.keys("IT", found)
    assert environment.keys("IT", SECRETS["LINK_KEYS"]) == {"1": "0123456789abcdef"}


def test_the_address_of_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IT", "postgres://app:p%40ss@db:5433/cairn?sslmode=require")
    found = environment.database("IT")
    assert (found["USER"], found["PASSWORD"], found["HOST"], found["PORT"]) == ("app", "p@ss", "db", 5433)
    assert found["NAME"] == "cairn"
    assert found["OPTIONS"] == {"sslmode": "require"}
    monkeypatch.setenv("IT", "postgres://app@%2Fvar%2Frun%2Fpostgresql/cairn")
    assert environment.database("IT")["HOST"] == "/var/run/postgresql"
    monkeypatch.setenv("IT", "mysql://app:secret@db/cairn")
    with pytest.raises(ImproperlyConfigured) as refused:
        environment.database("IT")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("smtp://mail", ("mail", 25, "", "", False, False)),
        ("smtp://u%40x:p%3Aw@mail:2525", ("mail", 2525, "u@x", "p:w", False, False)),
        ("smtps://u:p@mail", ("mail", 465, "u", "p", True, False)),
        ("smtp+tls://u:p@mail", ("mail", 587, "u", "p", False, True)),
    ],
)
def test_the_address_of_a_mail_server(
    monkeypatch: pytest.MonkeyPatch, address: str, expected: tuple[str, int, str, str, bool, bool]
) -> None:
    monkeypatch.setenv("IT", address)
    found = environment.mail("IT", "")
    assert (found.host, found.port, found.user, found.password, found.ssl, found.starttls) == expected
    assert found.backend.endswith("smtp.EmailBackend")


def test_mail_into_a_folder_or_onto_the_console(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IT", "file:///tmp/some%20mail")
    assert environment.mail("IT", "").folder == "/tmp/some mail"
    monkeypatch.setenv("IT", "console://")
    assert environment.mail("IT", "").backend.endswith("console.EmailBackend")


def test_mail_by_a_providers_api(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IT", "anymail://postmark")
    assert environment.mail("IT", "").backend == "anymail.backends.postmark.EmailBackend"
    monkeypatch.setenv("IT", "anymail://nobody")
    with pytest.raises(ImproperlyConfigured, match="another provider that Anymail knows"):
        environment.mail("IT", "")
    assert environment.address("UNSET") == ""
    assert environment.json_object("UNSET") == {}
    for name, wrong in (("address", "bounces"), ("address", "a+b@example.com"), ("json_object", "[1]")):
        monkeypatch.setenv("IT", wrong)
        with pytest.raises(ImproperlyConfigured, match="IT"):
            getattr(environment, name)("IT")


@pytest.mark.parametrize("found", ["mail.example.com", "imap://mail", "smtp://", "smtp://mail:port", "file://mail"])
def test_mail_to_nowhere_is_refused(monkeypatch: pytest.MonkeyPatch, found: str) -> None:
    monkeypatch.setenv("IT", found)
    with pytest.raises(ImproperlyConfigured, match="IT must be smtp://"):
        environment.mail("IT", "")


def _check(folder: Path, *flags: str, **env: str) -> subprocess.CompletedProcess[str]:
    """`manage.py check` in an environment with nothing of ours but `env`."""
    plain = {"PATH": os.environ["PATH"], "CAIRN_HOME": str(folder), **env}
    command: list[str | Path] = [sys.executable, home.BASE / "manage.py", "check", *flags]
    return subprocess.run(command, env=plain, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("missing", SECRETS)
def test_FM44_with_a_real_database_nothing_makes_up_secrets(tmp_path: Path, missing: str) -> None:
    secrets = {name: value for name, value in SECRETS.items() if name != missing}
    done = _check(tmp_path, DATABASE_URL="postgres://app@db/cairn", **secrets)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Cairn is not set up to run: {missing} is not set.")
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_manual_clock_wants_the_embedded_database(tmp_path: Path) -> None:
    done = _check(tmp_path, DATABASE_URL="postgres://app@db/cairn", CAIRN_CLOCK="manual", **SECRETS)
    assert done.returncode == 1
    assert "works with the embedded database only" in done.stderr


def test_a_real_installation_passes_the_deployment_check(tmp_path: Path) -> None:
    real = {"DATABASE_URL": "postgres://app@db/cairn", "BASE_URL": "https://crm.example.com", **SECRETS}
    real["ADMIN_URL"] = "https://admin.example.com"
    real["SECRET_KEY"] = "".join(chr(ord("a") + n % 26) for n in range(80))
    done = _check(tmp_path, "--deploy", "--fail-level", "WARNING", **real)
    assert done.returncode == 0, done.stderr
