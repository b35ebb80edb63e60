import json
import os
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from config import statics
from config.embedded import home


@pytest.fixture
def source(tmp_path: Path, settings: Settings) -> Path:
    """One folder with one file, to be collected under hashed names."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "page.css").write_text("p { color: teal }")
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATICFILES_DIRS = [folder]
    settings.STATIC_ROOT = tmp_path / "collected"
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }
    return folder


def _hashed(settings: Settings) -> str:
    manifest = json.loads((settings.STATIC_ROOT / "staticfiles.json").read_text())
    name: str = manifest["paths"]["page.css"]
    return name


def test_files_are_collected_once_and_again_when_one_changed(source: Path, settings: Settings) -> None:
    assert statics.collect()
    first = _hashed(settings)
    assert not statics.collect()
    os.utime(source / "page.css", ns=(1, 1))
    assert statics.collect()
    (source / "page.css").write_text("p { color: plum }")
    assert statics.collect()
    assert _hashed(settings) != first
    assert not (settings.STATIC_ROOT / first).exists(), "what is no more is not served"


def test_a_collection_that_was_cut_short_is_done_again(source: Path, settings: Settings) -> None:
    statics.collect()
    (settings.STATIC_ROOT / ".collected").unlink()
    assert statics.collect()


def test_our_own_files_are_found() -> None:
    assert len(statics._fingerprint()) == 64
    assert (home.BASE / "static" / "admin_cairn" / "pages.css").exists()
