"""Which people, now: the condition language, and segments that keep themselves up to date."""
