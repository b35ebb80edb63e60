"""Who people are and what they did: one profile a person, one account a company, every event once."""
