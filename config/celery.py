"""The Celery app. It carries "there is work", never the work: every task asks the database what is due."""

import os

from celery import Celery
from celery.signals import worker_process_init

from config.embedded import children

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("cairn")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_process_init.connect
def _die_with_the_worker(**_: object) -> None:
    children.bind_to_parent()
