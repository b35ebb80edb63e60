import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError

from staff import audit


def _refused(statement: str) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    except DatabaseError:
        return True
    return False


@pytest.mark.django_db
@pytest.mark.parametrize("table", ["staff_auditentry", "consent_consentrecord", "consent_wording"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {0} SET id = id",
        "DELETE FROM {0}",
        "TRUNCATE {0}",
        "ALTER TABLE {0} DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "DROP TABLE {0}",
    ],
)
def test_CO05_the_app_role_can_only_add(table: str, statement: str) -> None:
    audit.record("test", "test", "1", "Something happened.")
    assert _refused(statement.format(table).replace("id = id", "digest = digest" if "wording" in table else "id = id"))


def test_a_test_that_commits_gets_a_fresh_database(transactional_db: None) -> None:
    audit.record("test", "test", "1", "Something happened.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), current_user FROM staff_auditentry")
        assert cursor.fetchone() == (1, "cairn_app")


def test_it_is_gone_in_the_next(transactional_db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM staff_auditentry")
        assert cursor.fetchone() == (0,)
