"""Mail that goes into a folder in place of a server, as in the demo: what lies there of somebody who is erased."""

from collections.abc import Collection
from email import message_from_bytes, policy
from email.utils import getaddresses
from pathlib import Path

from django.conf import settings

_BETWEEN = b"-" * 79 + b"\n"  # as Django writes them, one behind the other
_BACKEND = "django.core.mail.backends.filebased.EmailBackend"


def forget(addresses: Collection[str]) -> int:
    """Takes the mails to these addresses out of the files of the folder, where mail goes into one; how many."""
    folder = Path(settings.EMAIL_FILE_PATH or "")
    if settings.EMAIL_BACKEND != _BACKEND or not folder.is_dir():
        return 0
    wanted = {address.lower() for address in addresses if address}
    return sum(_forget_in(path, wanted) for path in sorted(folder.glob("*.log"))) if wanted else 0


def _forget_in(path: Path, addresses: set[str]) -> int:
    raw = path.read_bytes()
    if not any(address.encode() in raw.lower() for address in addresses):
        return 0
    mails = [part for part in raw.split(_BETWEEN) if part.strip()]
    kept = [mail for mail in mails if not _is_to(mail, addresses)]
    if not kept:
        path.unlink()
    elif len(kept) < len(mails):
        beside = path.with_suffix(".part")
        beside.write_bytes(b"".join(mail + _BETWEEN for mail in kept))
        beside.replace(path)
    return len(mails) - len(kept)


def _is_to(mail: bytes, addresses: set[str]) -> bool:
    head = message_from_bytes(mail, policy=policy.compat32)
    to = getaddresses([str(value) for name in ("To", "Cc", "Bcc") for value in head.get_all(name, [])])
    return any(address.lower() in addresses for _name, address in to)
