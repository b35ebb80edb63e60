-- name: forget_claims
DELETE FROM profiles_claim WHERE id IN (
    SELECT id FROM profiles_claim WHERE received_at < %(before)s ORDER BY received_at LIMIT %(limit)s
);

-- name: forget_undos
UPDATE profiles_merge SET undo = NULL WHERE id IN (
    SELECT id FROM profiles_merge WHERE undo IS NOT NULL AND at < %(before)s ORDER BY at LIMIT %(limit)s
);

-- name: forget_replayed
DELETE FROM profiles_rejectedevent WHERE id IN (
    SELECT id FROM profiles_rejectedevent WHERE replayed_at < %(before)s ORDER BY replayed_at LIMIT %(limit)s
);

-- name: forget_refused
DELETE FROM profiles_rejectedevent WHERE id IN (
    SELECT id FROM profiles_rejectedevent WHERE received_at < %(before)s ORDER BY received_at LIMIT %(limit)s
);

-- name: old_events
-- How many events happened before a moment, counted so far and no further.
SELECT count(*) FROM (SELECT FROM profiles_event WHERE occurred_at < %(before)s LIMIT %(limit)s) AS old;

-- name: forget_events
-- Raw events alone: the counts by day stay, and so do the answers that need no more than them.
DELETE FROM profiles_event e USING (
    SELECT id, occurred_at FROM profiles_event WHERE occurred_at < %(before)s ORDER BY occurred_at, id LIMIT %(limit)s
) AS old
WHERE e.id = old.id AND e.occurred_at = old.occurred_at;
