"""CAIRN_HOME: the folder that holds everything an installation keeps beside its code."""

import hashlib
import json
import os
import secrets
import tempfile
from pathlib import Path
from typing import IO

BASE = Path(__file__).resolve().parent.parent.parent


def home() -> Path:
    """CAIRN_HOME, by default `var/` beside the code."""
    return Path(os.environ.get("CAIRN_HOME") or BASE / "var").absolute()


def folder(name: str) -> Path:
    """A folder under CAIRN_HOME, made for us alone where it is missing."""
    path = home() / name
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def sockets() -> Path:
    """Where the sockets are: under CAIRN_HOME, or, as a socket's path is at most 107 bytes, in the temporary folder."""
    path = home() / "run"
    if len(str(path)) > 80:
        name = hashlib.sha256(str(home()).encode()).hexdigest()[:12]
        path = Path(tempfile.gettempdir()) / f"cairn-{os.getuid()}-{name}"
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Whoever may enter this folder may enter the database.
    found = path.lstat()
    if found.st_uid != os.getuid():
        raise PermissionError(f"{path} belongs to another user; move it away or choose another CAIRN_HOME")
    if found.st_mode & 0o077:
        path.chmod(0o700)
    return path


def lock(name: str) -> IO[str]:
    """A file to be locked with flock; its locks end with the process that holds them, however that ends."""
    return (sockets() / f"{name}.lock").open("a+")


def secret(name: str, length: int = 50) -> str:
    """A secret of this installation, made once and kept in a file that only its owner may read."""
    path = folder("secrets") / name.lower()
    try:
        return path.read_text()
    except FileNotFoundError:
        pass
    value = secrets.token_urlsafe(length)
    scratch = path.with_suffix(f".{os.getpid()}")
    scratch.touch(mode=0o600)
    scratch.write_text(value)
    try:
        os.link(scratch, path)  # fails where another process was first: then its value is the one
    except FileExistsError:
        pass
    scratch.unlink()
    return path.read_text()


def link_keys() -> str:
    """The default ring of keys for links in messages, as LINK_KEYS wants it: a JSON object of key id to key."""
    return json.dumps({"1": secret("LINK_KEY")})
