"""Who a request to the REST API comes from, and what its key may do."""
