"""What `manage.py check --database default` and every start look at beyond Django's own checks."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import connections

_POWERS = """
    SELECT current_user, rolsuper,
        EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = 'public' AND tableowner = current_user)
    FROM pg_roles WHERE rolname = current_user
"""


@register(Tags.database)
def app_role_is_no_owner(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Warns where the role that serves requests could switch off what guards the consent ledger."""
    if not databases or "default" not in databases:
        return []
    with connections["default"].cursor() as cursor:
        cursor.execute(_POWERS)
        role, is_superuser, owns = cursor.fetchone()
    if not (is_superuser or owns):
        return []
    what = "is a superuser" if is_superuser else "owns the tables"
    return [
        Warning(
            f"The role {role!r} of DATABASE_URL {what}, so nothing in the database keeps it from changing the ledger.",
            hint="Give DATABASE_URL a role of its own, and DATABASE_OWNER_URL the owner's: docs/operators.md.",
            id="cairn.W001",
        )
    ]
