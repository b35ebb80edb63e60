"""The WSGI door."""

import os

from django.core.wsgi import get_wsgi_application

from config.embedded import children

children.bind_to_parent()  # the server loads this in a process that it forked
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()
