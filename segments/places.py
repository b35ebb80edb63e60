"""Where in a definition something stands, and the refusals that name the place."""

from dataclasses import dataclass, replace
from enum import Enum
from typing import NoReturn

from foundation.errors import Invalid

DEPTH, NODES = 10, 200


class Scope(Enum):
    """What a condition is for. Only a journey's knows when the journey and its step began."""

    SEGMENT = "segment"
    JOURNEY = "journey"


@dataclass(frozen=True, slots=True)
class Place:
    """A path like `all[1].count.op`, within a definition of the scope; `depth` counts the groups around it."""

    path: str
    scope: Scope
    depth: int = 0

    def at(self, key: str) -> "Place":
        return replace(self, path=f"{self.path}.{key}" if self.path else key)

    def item(self, number: int) -> "Place":
        return replace(self, path=f"{self.path}[{number}]")

    def inside(self) -> "Place":
        return replace(self, depth=self.depth + 1)

    def refuse(self, reason: str) -> NoReturn:
        raise Invalid.at(self.path, reason)
