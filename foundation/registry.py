"""Where apps meet without importing upwards: families of variants, and questions that the apps above answer.

A *family* holds variants of one idea, each in a file of its own, found by looking. A *question* is put by a lower
app and answered by those above it that joined, in dependency order, inside the caller's transaction.
"""

import pkgutil
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, Generic, ParamSpec, Protocol, TypeVar

from django.apps import apps


class Keyed(Protocol):
    key: str


V = TypeVar("V", bound=type[Any])
P = ParamSpec("P")
R = TypeVar("R")


class Family(Generic[V]):
    """Variants by key. `package` names the package whose modules each hold one."""

    def __init__(self, name: str, package: str) -> None:
        self.name = name
        self._package = package
        self._variants: dict[str, V] = {}
        self._found = False

    def register(self, variant: V) -> V:
        """Joins a variant; a key taken twice fails here, at import, and not at night."""
        key = variant.key
        if key in self._variants and self._variants[key] is not variant:
            raise ValueError(f"two variants of {self.name} claim the key {key!r}")
        self._variants[key] = variant
        return variant

    def _find(self) -> dict[str, V]:
        if not self._found:
            self._found = True
            package = import_module(self._package)
            for module in pkgutil.iter_modules(package.__path__):
                import_module(f"{self._package}.{module.name}")
        return self._variants

    def get(self, key: str) -> V | None:
        return self._find().get(key)

    def __getitem__(self, key: str) -> V:
        return self._find()[key]

    def __contains__(self, key: object) -> bool:
        return key in self._find()

    def __iter__(self) -> Iterator[V]:
        return iter(self._find().values())

    def keys(self) -> list[str]:
        return sorted(self._find())


class Question(Generic[P, R]):
    """Put by a lower app, answered by the apps that joined, the lowest first."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._answers: list[Callable[P, R]] = []

    def join(self, answer: Callable[P, R]) -> Callable[P, R]:
        self._answers.append(answer)
        return answer

    def __bool__(self) -> bool:
        """Whether anybody answers it."""
        return bool(self._answers)

    def ask(self, *args: P.args, **kwargs: P.kwargs) -> list[R]:
        return [answer(*args, **kwargs) for answer in sorted(self._answers, key=_height)]


def _height(answer: Callable[..., Any]) -> int:
    # INSTALLED_APPS lists our apps from the lowest to the highest.
    for place, config in enumerate(apps.get_app_configs()):
        if answer.__module__.startswith(f"{config.name}."):
            return place
    raise LookupError(f"{answer.__module__} belongs to no installed app")


class NotNow(str):
    """A reason that will pass: what it holds back is put off, and not given up."""


# What the apps above a merge, an erasure or a page must do or add. Each takes part where it can in `apps.ready()`.
absorb: Question[[Any], None] = Question("absorb")  # (merges: list[profiles.merging.Pair]): move yours to the survivors
part: Question[[Any, Any], None] = Question("part")  # (survivor id, absorbed id): a merge is taken back
# (profile): delete what names the person; what must be remembered of it, which names nobody, by name
erase: Question[[Any], dict[str, Any] | None] = Question("erase")
erased: Question[[dict[str, Any], Any], None] = Question("erased")  # (what was remembered, when): a backup forgot it
export: Question[[Any], dict[str, Any]] = Question("export")  # (profile) -> {section: data} for the person's download
references: Question[[str, str], list[str]] = Question("references")  # (kind, slug) -> sentences on who uses it
users: Question[[str, Any], dict[str, list[str]]] = Question("users")  # (kind, slugs) -> the same of many at once
known: Question[[str, Any], set[str] | None] = Question("known")  # (kind, slugs) -> those there are; None: not its kind
still_wanted: Question[[Any], dict[Any, str]] = Question("still_wanted")  # (messages) -> {message id: reason it is not}
links: Question[[Any], dict[Any, dict[str, str]]] = Question("links")  # (profiles) -> {profile id: {name: address}}
duties: Question[[Any], bool] = Question("duties")  # (messaging.duties.Duty) -> whether it is work for a team now
mail_link: Question[[Any], None] = Question("mail_link")  # (profile): send them a fresh link to their page
mail_notice: Question[[Any, str, dict[str, Any]], None] = Question("mail_notice")  # (profile, kind, values)
panels: Question[[Any, str], list[str]] = Question("panels")  # (profile, place) -> HTML for the customer's pages
inbound: Question[[Any, Any], str] = Question("inbound")  # (foundation.inbound.Inbound, now) -> what was done
