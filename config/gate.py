"""What must be true before any work is done: nobody who was erased is back, as after a restored backup."""

from profiles import journal


def closed() -> str:
    """Why nothing may run now, in a sentence; "" where it may."""
    try:
        missing = len(journal.missing())
    except journal.Unreadable as error:
        return str(error)
    if not missing:
        return ""
    known = "1 erasure is" if missing == 1 else f"{missing:,} erasures are"
    return (
        f"{known} in the journal and not in this database, as after a backup was restored."
        " Run `manage.py replay_erasures`, then start again."
    )
