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

-- name: swap_names
-- The row that holds the events takes the new name; its old name becomes another row, which leads to it.
WITH today AS (
    UPDATE profiles_eventtype SET name = %(new)s WHERE id = %(id)s RETURNING *
)
INSERT INTO profiles_eventtype
    (name, status, description, required, properties, volume, volume_30_days, first_seen_at, last_seen_at, renamed_to_id)
SELECT %(old)s, status, '', '{}', '{}', 0, 0, first_seen_at, last_seen_at, id FROM today;

-- name: unmoved
-- Former names under whose id events still lie, and the id of today's name.
SELECT t.id, t.renamed_to_id FROM profiles_eventtype t
WHERE t.renamed_to_id IS NOT NULL AND EXISTS (SELECT FROM profiles_eventday d WHERE d.name_id = t.id)
ORDER BY t.id;

-- name: some_people
-- Some of the people who have a name's events, held: nobody merges or erases them, or stores for them, meanwhile.
SELECT p.id FROM profiles_profile p
WHERE p.id IN (SELECT DISTINCT profile_id FROM (
    SELECT profile_id FROM profiles_eventday WHERE name_id = %(old)s LIMIT %(limit)s
) AS d)
ORDER BY p.id
FOR NO KEY UPDATE;

-- name: move_events
UPDATE profiles_event SET name_id = %(new)s WHERE profile_id = ANY(%(people)s) AND name_id = %(old)s;

-- name: move_days
-- The daily counts under a former name join those under today's.
WITH gone AS (
    DELETE FROM profiles_eventday WHERE profile_id = ANY(%(people)s) AND name_id = %(old)s RETURNING *
)
INSERT INTO profiles_eventday AS d (profile_id, name_id, day, n, first_at, last_at)
SELECT profile_id, %(new)s, day, n, first_at, last_at FROM gone ORDER BY profile_id, day
ON CONFLICT (profile_id, name_id, day) DO UPDATE SET
    n = d.n + excluded.n,
    first_at = least(d.first_at, excluded.first_at),
    last_at = greatest(d.last_at, excluded.last_at);

-- name: drop_orphans
-- Counts under a former name whose person is gone.
DELETE FROM profiles_eventday d WHERE d.name_id = %(old)s
AND NOT EXISTS (SELECT FROM profiles_profile p WHERE p.id = d.profile_id);

-- name: everybody
-- All who have done it.
SELECT DISTINCT profile_id FROM profiles_eventday WHERE name_id = %(name)s;

-- name: move_pulses
-- What waits to be looked at speaks of today's name.
UPDATE profiles_pulse SET names = array_replace(names, %(old)s, %(new)s) WHERE names @> ARRAY[%(old)s::integer];

-- name: move_counts
-- The catalogue's own numbers go with the name.
WITH gone AS (DELETE FROM profiles_eventcount WHERE name_id = %(old)s RETURNING *), counted AS (
    INSERT INTO profiles_eventcount AS c (name_id, day, n) SELECT %(new)s, day, n FROM gone
    ON CONFLICT (name_id, day) DO UPDATE SET n = c.n + excluded.n
), arrived AS (
    UPDATE profiles_arrival SET name_id = %(new)s WHERE name_id = %(old)s
), old AS (
    UPDATE profiles_eventtype SET volume = 0, volume_30_days = 0, properties = '{}' WHERE id = %(old)s
)
UPDATE profiles_eventtype t SET
    volume = t.volume + o.volume,
    volume_30_days = t.volume_30_days + o.volume_30_days,
    properties = o.properties || t.properties,
    first_seen_at = least(t.first_seen_at, o.first_seen_at),
    last_seen_at = greatest(t.last_seen_at, o.last_seen_at)
FROM profiles_eventtype o WHERE t.id = %(new)s AND o.id = %(old)s;
