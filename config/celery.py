"""The Celery app. It carries "there is work", never the work: every task asks the database what is due."""

import gc
import os

from celery import Celery
from celery.signals import worker_init, worker_process_init

from config.embedded import children

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("cairn")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
def _refuse_while_the_erased_are_back(**_: object) -> None:
    import django  # only here: whoever merely sends a task needs none of it

    django.setup()
    from config import gate, recovering

    if sentence := gate.closed():
        raise SystemExit(sentence)
    recovering.look()


@worker_process_init.connect
def _die_with_the_worker(**_: object) -> None:
    children.bind_to_parent()
    gc.freeze()  # what was loaded stays: to look through it for rubbish again and again takes longer than a mail
