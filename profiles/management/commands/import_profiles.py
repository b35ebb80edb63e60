"""`import_profiles FILE`: brings in people, from CSV or JSON lines."""

from profiles.imports.command import ImportCommand


class Command(ImportCommand):
    help = (
        "Imports people. Columns: user_id, email, phone, first_name, last_name, timezone, locale, created_at,"
        " account_id, and updated_at if newer values that are here should stand; all others become attributes."
    )
    kind = "profiles"
