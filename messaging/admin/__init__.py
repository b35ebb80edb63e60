"""The staff's screens of messages: the outbox, what can be said, the limits, and the brand that says it."""

from messaging.admin import (  # noqa: F401 (they join the admin)
    broadcasting,
    channels,
    domains,
    holding,
    limiting,
    outbox,
    returning,
    snippets,
    ways_out,
    writing,
)
