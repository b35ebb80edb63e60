"""Wake-ups: "there is work", said to the broker after the commit. Losing one costs time and nothing else."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from celery import current_app
from django.conf import settings
from django.db import connection, transaction

from foundation.failpoints import reach

log = logging.getLogger(__name__)
_needless: ContextVar[str] = ContextVar("needless", default="")
_kept: ContextVar["Kept | None"] = ContextVar("kept", default=None)


def wake(task: str) -> None:
    """Has `task` run soon after the transaction commits; Beat's own round finds the work if this is lost.

    Said once a transaction, however often it is asked for.
    """
    if settings.CAIRN_WAKE_UPS and task != _needless.get() and not _is_promised(task):
        transaction.on_commit(_Call(task), robust=True)


class Kept:
    """Whether a task was asked for, by a transaction that has committed; whoever keeps it does its work."""

    def __init__(self, task: str) -> None:
        self.task, self.asked = task, False

    def take(self) -> bool:
        """Whether it was asked for since this was last said."""
        asked, self.asked = self.asked, False
        return asked

    def pass_on(self) -> None:
        """Has another worker do it after all."""
        _send(self.task)


@contextmanager
def kept(task: str) -> Iterator[Kept]:
    """Within it `task` is not woken: whoever opened it does the work where it was asked for, and so is there sooner.

    What was asked for and not taken by the end is passed on.
    """
    keeper = Kept(task)
    token = _kept.set(keeper)
    try:
        yield keeper
    finally:
        _kept.reset(token)
        if keeper.asked:
            keeper.pass_on()


@contextmanager
def not_for(task: str) -> Iterator[None]:
    """Within it `task` is not woken: it runs, and goes on until it finds nothing more."""
    token = _needless.set(task)
    try:
        yield
    finally:
        _needless.reset(token)


def _is_promised(task: str) -> bool:
    """Whether the transaction will say so already: from itself, or from a savepoint that this is within."""
    within = set(connection.savepoint_ids)
    return any(call == _Call(task) and savepoints <= within for savepoints, call, *_ in connection.run_on_commit)


@dataclass(frozen=True, slots=True)
class _Call:
    """What is done once the transaction has committed."""

    task: str

    def __call__(self) -> None:
        keeper = _kept.get()
        if keeper is not None and keeper.task == self.task:
            keeper.asked = True
        else:
            _send(self.task)


def _send(task: str) -> None:
    reach("wake.send")
    try:
        # One try: a broker that is away must not hold up whoever brought the work.
        current_app.send_task(task, ignore_result=True, retry=False, expires=60)
    except Exception as error:
        log.warning("the broker did not take the wake-up for %s (%s); Beat will come by", task, type(error).__name__)
