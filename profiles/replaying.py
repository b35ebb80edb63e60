"""Erasing again whom a backup brought back, as the journal of erasures says."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from foundation import registry
from profiles import erasing
from profiles.journal import Entry
from profiles.models import Erasure, Profile
from staff import audit


def replay(entries: Iterable[Entry], *, now: datetime) -> int:
    """Erases again; how many erasures that were. Each commits on its own, so that it may be cut short and run again."""
    done = 0
    for entry in entries:
        with transaction.atomic():
            for profile in Profile.objects.filter(pk__in=entry.people).order_by("pk"):
                erasing.erase(profile, now=entry.at)
            # Also of whom the backup had never heard: what comes late must find them erased, and unwritable.
            erasing.bury(entry.digests, entry.at)
            registry.erased.ask(entry.kept, entry.at)
            Erasure.objects.update_or_create(
                pk=entry.id,
                defaults={
                    "others": entry.others,
                    "digests": entry.digests,
                    "kept": entry.kept,
                    "at": entry.at,
                    "noted_at": now,
                },
            )
            audit.record("erase again", "profile", str(entry.id), "Erased a person again, whom a backup brought back.")
        done += 1
    return done
