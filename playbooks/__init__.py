"""Ready-made segments, journeys and templates, sample behaviour, and the demo that tells them."""
