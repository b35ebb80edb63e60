"""Django, loaded: what `tests.forked` has its processes begin with."""

import os

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

import django

django.setup()
