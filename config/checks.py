"""What `manage.py check --database default` and every start look at beyond Django's own checks."""

from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DEFAULT_DB_ALIAS, connections, router

OLDEST = 170_000  # as PostgreSQL numbers itself: the first that compares text alike on every system (pg_c_utf8)
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


@register()
def all_is_read_where_it_is_written(**_: Any) -> list[CheckMessage]:
    """Refuses routers that read from a copy: a claim, a consent or a cap that lags would let messages through."""
    elsewhere = [
        f"{model._meta.label} ({way})"
        for model in apps.get_models()
        for way, asked in (("read", router.db_for_read), ("written", router.db_for_write))
        if asked(model) != DEFAULT_DB_ALIAS
    ]
    if not elsewhere:
        return []
    return [
        Error(
            f"DATABASE_ROUTERS sends to another database than the one that decides: {', '.join(elsewhere[:5])}"
            f"{' and more' if len(elsewhere) > 5 else ''}.",
            hint="Leave DATABASE_ROUTERS empty. Reports may read a replica with tools of their own.",
            id="cairn.E003",
        )
    ]


@register(Tags.database)
def server_is_new_enough(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Refuses a PostgreSQL that cannot answer conditions about text."""
    if not databases or "default" not in databases:
        return []
    connection = connections["default"]
    connection.ensure_connection()
    version = connection.connection.info.server_version
    if version >= OLDEST:
        return []
    return [
        Error(
            f"The server is PostgreSQL {version // 10_000}, and Cairn needs {OLDEST // 10_000} or later: older ones"
            " compare text without regard to case differently from system to system.",
            hint="Upgrade the server that DATABASE_URL names, or leave DATABASE_URL out to use the embedded one.",
            id="cairn.E001",
        )
    ]
