-- name: take
-- Takes some of what arrived, and adds it to the counts; a name's samples of whose events to look at.
WITH taken AS (
    DELETE FROM profiles_arrival WHERE id IN (
        SELECT id FROM profiles_arrival ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ) RETURNING *
), renamed AS (
    SELECT a.id, coalesce(t.renamed_to_id, t.id) AS name_id, a.day, a.n, a.first_at, a.last_at, a.profiles, a.times
    FROM taken a JOIN profiles_eventtype t ON t.id = a.name_id
), counted AS (
    INSERT INTO profiles_eventcount AS c (name_id, day, n)
    SELECT name_id, day, sum(n) FROM renamed WHERE day IS NOT NULL GROUP BY name_id, day ORDER BY name_id, day
    ON CONFLICT (name_id, day) DO UPDATE SET n = c.n + excluded.n
), grown AS (
    UPDATE profiles_eventtype t SET
        volume = t.volume + r.n,
        first_seen_at = least(t.first_seen_at, r.first_at),
        last_seen_at = CASE WHEN t.volume = 0 THEN r.last_at ELSE greatest(t.last_seen_at, r.last_at) END
    FROM (
        SELECT name_id, sum(n) AS n, min(first_at) AS first_at, max(last_at) AS last_at FROM renamed GROUP BY name_id
    ) r
    WHERE t.id = r.name_id
)
SELECT r.id, r.name_id, s.profile, s.at FROM renamed r, unnest(r.profiles, r.times) AS s(profile, at)
ORDER BY r.id DESC;

-- name: lately
-- Each name's count of the last 30 days, written where it differs.
UPDATE profiles_eventtype t SET volume_30_days = coalesce(c.n, 0)
FROM profiles_eventtype o LEFT JOIN (
    SELECT name_id, sum(n) AS n FROM profiles_eventcount WHERE day > %(today)s::date - 30 GROUP BY name_id
) AS c ON c.name_id = o.id
WHERE t.id = o.id AND t.volume_30_days <> coalesce(c.n, 0);

-- name: prune
DELETE FROM profiles_eventcount WHERE day < %(today)s::date - 60;

-- name: look
-- The properties of these events, each found by its person (who may have become part of another), name and time.
SELECT e.name_id, e.properties
FROM unnest(%(profiles)s::uuid[], %(names)s::integer[], %(times)s::timestamptz[]) AS s(profile, name, at)
LEFT JOIN profiles_merge m ON m.absorbed_id = s.profile
JOIN profiles_event e ON e.profile_id = coalesce(m.survivor_id, s.profile) AND e.name_id = s.name AND e.occurred_at = s.at
LIMIT %(limit)s;

-- name: size
-- About how many rows a table has, as the planner knows it; by its size where it was never looked at.
SELECT CASE WHEN reltuples >= 0 AND relpages > 0 THEN reltuples ELSE pg_relation_size(oid) / 500.0 END
FROM pg_class WHERE oid = %(table)s::regclass;

-- name: sample_people
-- A share of all people, whole pages at a time.
SELECT attributes, last_seen_at FROM profiles_profile TABLESAMPLE SYSTEM (%(percent)s);

-- name: recent_people
SELECT attributes, last_seen_at FROM profiles_profile ORDER BY last_seen_at DESC LIMIT %(limit)s;

-- name: sample_companies
SELECT attributes, created_at FROM profiles_account TABLESAMPLE SYSTEM (%(percent)s);
