"""The domains that we send from: whether receivers can tell that our mail is ours, and how they take it."""
