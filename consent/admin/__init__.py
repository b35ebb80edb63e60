"""Staff screens: what can be chosen and was, and what people asked for about their data."""

from consent.admin import choices, keeping, privacy, replies  # noqa: F401 (registered by their import)
