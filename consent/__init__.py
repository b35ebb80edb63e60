"""What each person agreed to hear, proven: topics, the ledger, preferences, suppression, the customer's pages."""
