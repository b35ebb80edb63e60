"""Screens on people, companies, what they do, what is known of the names that arrive, and what could not be taken."""

from profiles.admin import catalogue, intake, people, webhooks

__all__ = ["catalogue", "intake", "people", "webhooks"]
