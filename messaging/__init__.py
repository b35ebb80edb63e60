"""What is said, how, and whether it may be: templates, guardrails, the outbox, channels."""
