"""The screens on journeys, and on the tasks that they give."""

from journeys.admin import tasks, ways

__all__ = ["tasks", "ways"]
