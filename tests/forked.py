"""Processes to be killed, forked from one that has loaded Django: loading it anew takes a second each time."""

import multiprocessing
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

from django.conf import settings

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.loaded"])


def start(act: Callable[..., None], database: str, *args: Any) -> BaseProcess:
    """A process that does `act(*args)` in `database`. `act` stands in a module that needs no pytest."""
    process = _context.Process(target=_do, args=(act, database, *args))
    process.start()
    return process


def _do(act: Callable[..., None], database: str, *args: Any) -> None:
    import tests.loaded  # noqa: F401 (it is, unless the first of us was forked elsewhere)

    for found in settings.DATABASES.values():
        found["NAME"] = database
    act(*args)
