import pytest
from django.db import connection, connections

from config import checks, roles


@pytest.fixture
def as_the_owner(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an installation with one role for everything."""
    monkeypatch.setitem(connections["default"].settings_dict, "USER", connections["owner"].settings_dict["USER"])
    connection.close()


@pytest.mark.django_db
def test_CO05_the_app_role_owns_nothing() -> None:
    assert checks.app_role_is_no_owner(["default"]) == []


def test_CO05_a_role_that_owns_the_tables_is_warned_of(as_the_owner: None) -> None:
    try:
        (warning,) = checks.app_role_is_no_owner(["default"])
    finally:
        connection.close()
    assert warning.id == "cairn.W001"
    assert warning.msg.startswith("The role 'cairn_owner' of DATABASE_URL owns the tables, so nothing in the database")


def test_CO05_a_superuser_is_warned_of(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections["default"].settings_dict, "USER", "cairn_super")
    connection.close()
    try:
        (warning,) = checks.app_role_is_no_owner(["default"])
    finally:
        connection.close()
    assert "'cairn_super' of DATABASE_URL is a superuser" in warning.msg


def test_without_a_database_to_ask_it_says_nothing() -> None:
    assert checks.app_role_is_no_owner(None) == []
    assert checks.app_role_is_no_owner(["owner"]) == []


def test_rights_are_granted_again_after_each_migration(transactional_db: None) -> None:
    owner = connections["owner"]
    with owner.cursor() as cursor:
        cursor.execute("CREATE TABLE later (id bigint GENERATED ALWAYS AS IDENTITY, n int)")
        cursor.execute("CREATE TABLE grows (n int)")
        cursor.execute(
            "CREATE TRIGGER grows_rows BEFORE UPDATE OR DELETE ON grows"
            " FOR EACH ROW EXECUTE FUNCTION foundation_append_only()"
        )
    roles.grant(owner, "cairn_app")
    with connection.cursor() as cursor:
        for table in ("later", "grows"):
            rights = [f"has_table_privilege('{table}', '{r}')" for r in ("SELECT", "INSERT", "UPDATE", "DELETE")]
            cursor.execute(f"SELECT {', '.join(rights)}, has_table_privilege('{table}', 'TRUNCATE')")
            assert cursor.fetchone() == (True, True, table == "later", table == "later", False)


def test_what_a_migration_makes_the_app_may_use_before_the_last_one_is_applied(transactional_db: None) -> None:
    """The database was migrated by the command; nothing is granted by hand here."""
    with connections["owner"].cursor() as cursor:
        cursor.execute("CREATE TABLE counts (id bigserial, n bigint)")
        cursor.execute(
            "CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS"
            " $$BEGIN INSERT INTO counts (n) SELECT count(*) FROM fresh; RETURN NULL; END$$"
        )
        cursor.execute(
            "CREATE TRIGGER counted AFTER INSERT ON foundation_loop REFERENCING NEW TABLE AS fresh"
            " FOR EACH STATEMENT EXECUTE FUNCTION counted()"
        )
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO foundation_loop (name) VALUES ('a'), ('b')")
        cursor.execute("SELECT n FROM counts")
        assert cursor.fetchone() == (2,)
        cursor.execute("SELECT has_table_privilege('counts', 'TRUNCATE')")
        assert cursor.fetchone() == (False,)


def test_one_role_for_everything_is_left_as_it_is(transactional_db: None) -> None:
    owner = connections["owner"]
    roles.grant(owner, "cairn_owner")
    with owner.cursor() as cursor:
        cursor.execute("SELECT has_table_privilege('consent_consentrecord', 'UPDATE')")
        assert cursor.fetchone() == (True,)


@pytest.mark.django_db
def test_a_server_that_is_too_old_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.server_is_new_enough(["default"]) == []
    assert checks.server_is_new_enough(None) == []
    major = connection.connection.info.server_version // 10_000
    monkeypatch.setattr(checks, "OLDEST", (major + 1) * 10_000)
    (error,) = checks.server_is_new_enough(["default"])
    assert error.id == "cairn.E001"
    assert error.msg.startswith(f"The server is PostgreSQL {major}, and Cairn needs {major + 1} or later")
