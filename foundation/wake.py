"""Wake-ups: "there is work", said to the broker after the commit. Losing one costs time and nothing else."""

import logging

from celery import current_app
from django.conf import settings
from django.db import transaction

log = logging.getLogger(__name__)


def wake(task: str) -> None:
    """Has `task` run soon after the transaction commits; Beat's own round finds the work if this is lost."""
    if settings.CAIRN_WAKE_UPS:
        transaction.on_commit(lambda: _send(task), robust=True)


def _send(task: str) -> None:
    try:
        # One try: a broker that is away must not hold up whoever brought the work.
        current_app.send_task(task, ignore_result=True, retry=False, expires=60)
    except Exception as error:
        log.warning("the broker did not take the wake-up for %s (%s); Beat will come by", task, type(error).__name__)
