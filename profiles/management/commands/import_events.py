"""`import_events FILE`: brings in what people did in the past, from CSV or JSON lines."""

from profiles.imports.command import ImportCommand


class Command(ImportCommand):
    help = (
        "Imports events. Columns: user_id or anonymous_id, event, timestamp, and message_id if there is one; all others"
        " become properties. Nothing is ever stored twice: stop it at any time, and give the command again to go on."
    )
    kind = "events"
