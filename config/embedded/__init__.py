"""PostgreSQL and the broker on a machine that has neither: where they live, how they start, stop and are found."""

from config.embedded.lending import services_for

__all__ = ["services_for"]
