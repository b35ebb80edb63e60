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
