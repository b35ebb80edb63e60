-- name: add
-- Word that these people must be looked at again, and what of them.
INSERT INTO profiles_pulse (profile_id, at, crowd, cause, names, attributes, events, first_at, last_at)
SELECT profile, %(now)s, %(crowd)s, cause, names, attributes, events, first_at, last_at
FROM jsonb_to_recordset(%(rows)s) AS p(
    profile uuid, cause text, names integer[], attributes text[], events bigint[],
    first_at timestamptz, last_at timestamptz
);

-- name: touch
-- One pulse of one cause for each of these people.
INSERT INTO profiles_pulse (profile_id, at, crowd, cause, names, attributes, events)
SELECT profile, %(now)s, %(crowd)s, %(cause)s, '{}', %(attributes)s::text[], '{}' FROM unnest(%(profiles)s::uuid[]) AS p(profile);

-- name: lock
-- The people of these whose lock was free, and is ours now until the transaction ends.
SELECT profile FROM (SELECT DISTINCT profile FROM unnest(%(profiles)s::uuid[]) AS p(profile) ORDER BY profile OFFSET 0) AS p
WHERE pg_try_advisory_xact_lock(uuid_hash_extended(profile, %(seed)s));

-- name: lock_all
-- The same, but waits for whoever has a lock. In order of id, so that two who lock never wait for each other.
SELECT pg_advisory_xact_lock(uuid_hash_extended(profile, %(seed)s))
FROM (SELECT DISTINCT profile FROM unnest(%(profiles)s::uuid[]) AS p(profile) ORDER BY profile OFFSET 0) AS p;

-- name: waiting
-- Whether anybody waits, of those who came by themselves and of the crowd.
SELECT EXISTS (SELECT FROM profiles_pulse WHERE crowd = false), EXISTS (SELECT FROM profiles_pulse WHERE crowd = true);

-- name: lock_oldest
-- Locks up to so many of the people who wait longest in a queue, and says who they are; people whom others have are passed by.
-- Looks through the oldest pulses behind `after` only, so that its cost does not grow with what waits; with the
-- people it says how far it looked, and whether there may be more behind.
WITH oldest AS MATERIALIZED (
    SELECT id, profile_id FROM profiles_pulse WHERE crowd = %(crowd)s AND id > %(after)s
    ORDER BY id LIMIT %(window)s
), people AS MATERIALIZED (
    SELECT profile_id, min(id) AS first FROM oldest WHERE profile_id <> ALL(%(had)s::uuid[])
    GROUP BY profile_id ORDER BY first
), ours AS MATERIALIZED (
    SELECT profile_id FROM people
    WHERE pg_try_advisory_xact_lock(uuid_hash_extended(profile_id, %(seed)s))
    LIMIT %(limit)s
)
SELECT array(SELECT profile_id FROM ours), (SELECT max(id) FROM oldest), (SELECT count(*) FROM oldest) = %(window)s;

-- name: take
-- Takes every pulse of these people. A statement of its own, after the lock: it sees what was committed until then.
WITH taken AS (
    DELETE FROM profiles_pulse WHERE profile_id = ANY(%(profiles)s)
    RETURNING id, profile_id, at, cause, names, attributes, events, first_at, last_at
)
SELECT profile_id, at, cause, names, attributes, events, first_at, last_at FROM taken ORDER BY id;

-- name: triggering
-- The events behind pulses, in the order in which they happened. Found by person and time: there is no index on ids.
SELECT e.id, e.message_id, e.profile_id, t.name, e.occurred_at, e.properties
FROM unnest(%(profiles)s::uuid[], %(first)s::timestamptz[], %(last)s::timestamptz[]) AS p(profile_id, first_at, last_at)
JOIN profiles_event e ON e.profile_id = p.profile_id AND e.occurred_at BETWEEN p.first_at AND p.last_at
JOIN profiles_eventtype t ON t.id = e.name_id
WHERE e.id = ANY(%(events)s::bigint[])
  -- Said again as constants, so that only the months in question are planned for.
  AND e.occurred_at BETWEEN %(earliest)s::timestamptz AND %(latest)s::timestamptz
ORDER BY e.occurred_at, e.id;
