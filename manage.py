#!/usr/bin/env python
"""Cairn's command line. Commands find the embedded database that runs under CAIRN_HOME, or start it while they run."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    from config.embedded import services_for

    try:
        with services_for(sys.argv):
            execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"Cairn is not set up to run: {error}")


if __name__ == "__main__":
    main()
