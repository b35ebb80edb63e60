"""Who works here, and may do what: users, teams, roles, keys, the audit trail."""
