"""What the demo remembers between two runs, so that the second goes on where the first was."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass
class Memory:
    """How far the telling is, and of what share of people (per cent); days that the sets are moved by; ISO moments.

    `told_until` moves on in the replay; `done` when all has been told and the clock was released.
    """

    path: Path
    share: int = 100
    music_days: int = 0
    web_days: int = 0
    begins: str = ""
    history_sent: bool = False
    told_until: str = ""
    done: bool = False

    @classmethod
    def at(cls, path: Path) -> "Memory":
        try:
            return cls(path, **json.loads(path.read_text()))
        except FileNotFoundError:
            return cls(path)

    def keep(self) -> None:
        """Writes it down whole: a run that is killed meanwhile leaves the old file or the new one."""
        words = {name: value for name, value in asdict(self).items() if name != "path"}
        scratch = self.path.with_suffix(".new")
        scratch.write_text(json.dumps(words, indent=1))
        scratch.replace(self.path)
