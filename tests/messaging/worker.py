"""A worker in a process of its own, that can be killed: `python -m tests.messaging.worker DATABASE PORT NOW`."""

import sys
import time
from datetime import datetime

import django
from django.conf import settings
from django.db import connections


def main(database: str, port: str, now: str, rounds: str = "1") -> None:
    django.setup()
    connections["default"].settings_dict["NAME"] = database
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", int(port)
    from messaging import dispatch

    print("ready", flush=True)
    for _ in range(int(rounds)):
        dispatch.tick(datetime.fromisoformat(now))
        time.sleep(0.02)


if __name__ == "__main__":
    main(*sys.argv[1:])
