"""What comes back of messages: told by providers and by mails, kept as it came, and acted on once, in any order."""
