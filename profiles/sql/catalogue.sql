-- name: share
-- Held by whoever is about to store events under ids that the catalogue gave: a rename waits for them to commit.
SELECT pg_advisory_xact_lock_shared(%(key)s);

-- name: hold
-- Held by a rename: nobody stores under an id that is just losing its name.
SELECT pg_advisory_xact_lock(%(key)s);

-- name: find
-- The ids that stand for these names today.
SELECT t.name, coalesce(t.renamed_to_id, t.id) FROM profiles_eventtype t WHERE t.name = ANY(%(names)s);

-- name: make
-- Adds names that were not there. In order of name, so that two batches never wait for each other in a circle.
INSERT INTO profiles_eventtype
    (name, status, description, required, properties, volume, volume_30_days, first_seen_at, last_seen_at)
SELECT n.name, 'new', '', '{}', '{}', 0, 0, %(now)s, %(now)s
FROM unnest(%(names)s::text[]) AS n(name)
ORDER BY n.name
ON CONFLICT (name) DO NOTHING;

-- name: rules
-- Names that are blocked or must carry something, a former name by the rules of today's.
SELECT t.name, today.status = 'blocked', today.required
FROM profiles_eventtype t JOIN profiles_eventtype today ON today.id = coalesce(t.renamed_to_id, t.id)
WHERE today.status = 'blocked' OR today.required <> '{}';
