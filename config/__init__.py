"""How the parts are put together and run: settings, addresses, the schedule, embedded services. Nobody imports it."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
