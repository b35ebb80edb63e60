"""What the demo remembers survives a kill."""

from pathlib import Path

import pytest

from playbooks.demo.memory import Memory


def test_it_begins_empty_and_remembers_what_was_kept(tmp_path: Path):
    memory = Memory.at(tmp_path / "demo.json")
    assert not memory.history_sent and not memory.done
    memory.history_sent, memory.told_until = True, "2026-11-24T00:00:00+00:00"
    memory.keep()
    assert Memory.at(tmp_path / "demo.json") == memory


def test_a_write_that_is_cut_short_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    memory = Memory.at(tmp_path / "demo.json")
    memory.keep()
    memory.done = True

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        memory.keep()
    assert not Memory.at(tmp_path / "demo.json").done
