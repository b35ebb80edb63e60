"""The product's own settings, in a throwaway home that the workers of one run share."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path


def _ground() -> str | None:
    """Memory, where there is room for a run: making a database of 400 files takes a tenth of the time there."""
    memory = Path("/dev/shm")
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 6 * 1024**3:
        return str(memory)
    return None


def _tidy(home: str, maker: int) -> None:
    """Leaves nothing in memory, whoever read these settings (the types' check does, too); a forked child may not."""
    if os.getpid() == maker:
        shutil.rmtree(home, ignore_errors=True)


if "CAIRN_TEST_HOME" not in os.environ:
    os.environ["CAIRN_TEST_HOME"] = tempfile.mkdtemp(prefix="cairn-test-", dir=_ground())
    os.environ["PYTEST_DEBUG_TEMPROOT"] = tempfile.mkdtemp(prefix="files-", dir=os.environ["CAIRN_TEST_HOME"])
    atexit.register(_tidy, os.environ["CAIRN_TEST_HOME"], os.getpid())
for name in (
    "DATABASE_URL",
    "DATABASE_OWNER_URL",
    "CELERY_BROKER_URL",
    "EMAIL_URL",
    "CAIRN_CLOCK",
    "BASE_URL",
    "ADMIN_URL",
):
    os.environ.pop(name, None)
os.environ["CAIRN_HOME"] = os.environ["CAIRN_TEST_HOME"]
os.environ["CAIRN_WAKE_UPS"] = "off"  # tests call the loops themselves
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright keeps an event loop in the tests' thread

from config.settings import *  # noqa: E402, F403

# live_server finds no files under hashed names.
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
POSTAL_ADDRESS = "1 Test Street, 12345 Testing"  # without one, no marketing mail goes out
STATIC_ROOT.mkdir(exist_ok=True)  # noqa: F405 (WhiteNoise warns of a folder that is missing)
