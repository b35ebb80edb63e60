-- name: alone
-- Whether no other worker tells; if so, none begins to until this one says so, or its connection is gone.
SELECT pg_try_advisory_lock(hashtext('profiles.telling'));

-- name: not_alone
-- Lets the others.
SELECT pg_advisory_unlock(hashtext('profiles.telling'));
