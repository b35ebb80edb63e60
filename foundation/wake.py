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


def wake(task: str) -> None:
    """Has `task` run soon after the transaction commits; Beat's own round finds the work if this is lost.

    Said once a transaction, however often it is asked for.
    """
    if settings.CAIRN_WAKE_UPS and task != _needless.get() and not _is_promised(task):
        transaction.on_commit(_Call(task), robust=True)


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
        _send(self.task)


def _send(task: str) -> None:
    reach("wake.send")
    try:
        # One try: a broker that is away must not hold up whoever brought the work.
        current_app.send_task(task, ignore_result=True, retry=False, expires=60)
    except Exception as error:
        log.warning("the broker did not take the wake-up for %s (%s); Beat will come by", task, type(error).__name__)
