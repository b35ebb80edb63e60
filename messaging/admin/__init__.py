"""The staff's screens of messages: the outbox, what can be said, the limits, and the brand that says it."""

from messaging.admin import broadcasting, channels, holding, limiting, outbox, returning, ways_out, writing  # noqa: F401 (they join the admin)
