"""What was there before, so that it can be had back: kept in the form itself, signed, and so in no table.

Every change that a button makes is a step; what was typed in between is one step.
"""

from dataclasses import dataclass, field
from typing import Any

from django.core import signing

from messaging.editor import pieces
from messaging.editor.pieces import Board

_SALT = "messaging.editor.undo"
_STEPS = 30
_LONGEST = 300_000  # characters, of the form's million


@dataclass
class Past:
    """The states before and after the one that is shown, and that one as it was drawn last."""

    before: list[Any] = field(default_factory=list)
    after: list[Any] = field(default_factory=list)
    drawn: Any = None

    def note(self, board: Board) -> None:
        """Whatever was typed since it was drawn becomes a step."""
        now = pieces.written(board).blocks
        if self.drawn is not None and now != self.drawn:
            self.before.append(self.drawn)
            self.after.clear()
        self.drawn = now

    def step(self, board: Board) -> None:
        """The board was changed by a button."""
        self.note(board)

    def undo(self) -> Board | None:
        return self._go(self.before, self.after)

    def redo(self) -> Board | None:
        return self._go(self.after, self.before)

    def _go(self, here: list[Any], there: list[Any]) -> Board | None:
        if not here:
            return None
        there.append(self.drawn)
        self.drawn = here.pop()
        return pieces.from_blocks(self.drawn)

    def packed(self) -> str:
        """For the form; the oldest steps are let go where it grows too long."""
        before, after = self.before[-_STEPS:], self.after[-_STEPS:]
        while True:
            text = signing.dumps([before, after, self.drawn], salt=_SALT, compress=True)
            if len(text) <= _LONGEST or not (before or after):
                return text if len(text) <= _LONGEST else ""
            before, after = before[(len(before) + 1) // 2 :], after[(len(after) + 1) // 2 :]


def unpacked(text: str) -> Past:
    """What a form holds of it; nothing, where that is not ours."""
    try:
        before, after, drawn = signing.loads(text, salt=_SALT) if text else ([], [], None)
    except (signing.BadSignature, ValueError, TypeError):
        return Past()
    return Past(before, after, drawn)
