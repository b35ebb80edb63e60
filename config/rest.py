"""How the REST API reads and answers: strict JSON in, problem details out (RFC 9457)."""
