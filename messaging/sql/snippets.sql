-- name: alone
-- Nobody else changes a snippet, and nobody makes a template of one, until the transaction ends.
SELECT pg_advisory_xact_lock(hashtext('messaging.snippets'));

-- name: beside
-- Whoever makes templates may do so side by side, while nobody changes a snippet.
SELECT pg_advisory_xact_lock_shared(hashtext('messaging.snippets'));
