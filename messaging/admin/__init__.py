"""The staff's screens of messages: the outbox, what can be said, and the brand that says it."""

from messaging.admin import outbox, writing  # noqa: F401 (they join the admin)
