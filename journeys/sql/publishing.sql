-- name: alone
-- Whoever asks whether journeys lead in a circle asks alone, until the transaction ends.
SELECT pg_advisory_xact_lock(hashtext('journeys.publishing.circles'));
