"""What a secret key may be allowed: a closed list, since a scope that nothing asks for would promise too much."""

from collections.abc import Iterable

from foundation.errors import Invalid, Problem

ALL = "all"
# The resources of the REST API; a sub-resource belongs to what it is made of (a person's consent to `consent`).
RESOURCES = (
    "accounts",
    "catalogue",
    "channels",
    "consent",
    "events",
    "experiments",
    "journeys",
    "messages",
    "metrics",
    "profiles",
    "segments",
    "tasks",
    "templates",
    "topics",
    "webhooks",
)
KNOWN = frozenset({ALL} | {f"{resource}:{verb}" for resource in RESOURCES for verb in ("read", "write")})


def spoken() -> list[tuple[str, str]]:
    """Each scope of a resource with its name for people."""
    return [
        (f"{resource}:{verb}", f"{said} {resource}")
        for resource in RESOURCES
        for verb, said in (("read", "Read"), ("write", "Read and write"))
    ]


def checked(scopes: Iterable[str]) -> list[str]:
    """The scopes in order, each once. Raises `Invalid` for those that do not exist, and where there are none."""
    wanted = sorted(set(scopes))
    unknown = [Problem("scopes", f"There is no scope {scope!r}.") for scope in wanted if scope not in KNOWN]
    if unknown:
        raise Invalid([*unknown, Problem("scopes", f"There are: all, and read or write of {', '.join(RESOURCES)}.")])
    if not wanted:
        raise Invalid.at("scopes", "Say what the key may do: all, or scopes such as profiles:read and segments:write.")
    return wanted


def allow(scopes: Iterable[str], wanted: str) -> bool:
    """Whether these scopes cover `wanted`. Whoever may write something may read it: the answer to a write shows it."""
    have = set(scopes)
    return ALL in have or wanted in have or wanted.replace(":read", ":write") in have
