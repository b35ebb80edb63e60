"""Static files, collected once and again only when one of them changed."""

import hashlib
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command


def collect() -> bool:
    """Has STATIC_ROOT hold today's files under their hashed names; whether there was anything to do."""
    root = Path(settings.STATIC_ROOT)
    stamp, today = root / ".collected", _fingerprint()
    if stamp.exists() and stamp.read_text() == today:
        return False
    call_command("collectstatic", verbosity=0, interactive=False, clear=True)
    root.mkdir(parents=True, exist_ok=True)
    stamp.write_text(today)
    return True


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list([]):
            found = Path(storage.path(path)).stat()
            digest.update(f"{path} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()
