-- name: became
-- Who these people are today, of those that became part of somebody, however often that somebody did so again.
WITH RECURSIVE way(start, profile) AS (
    SELECT id, id FROM unnest(%(ids)s::uuid[]) AS asked(id)
    UNION
    SELECT w.start, m.survivor_id FROM way w JOIN profiles_merge m ON m.absorbed_id = w.profile
)
SELECT w.start, w.profile FROM way w JOIN profiles_profile p ON p.id = w.profile WHERE w.start <> w.profile;

-- name: hold
-- The people as they stand, held: an ingest that is storing for one of them commits first or starts over after us.
SELECT to_jsonb(p) FROM profiles_profile p WHERE p.id = ANY(%(ids)s) ORDER BY p.id FOR UPDATE;

-- name: move_events
-- Gives the events to the survivors, with their times; per absorbed, the ids of those that moved.
WITH moved AS (
    UPDATE profiles_event e SET profile_id = m.survivor
    FROM unnest(%(survivors)s::uuid[], %(absorbed)s::uuid[]) AS m(survivor, absorbed)
    WHERE e.profile_id = m.absorbed
    RETURNING m.absorbed, e.id
)
SELECT absorbed, array_agg(id) FROM moved GROUP BY absorbed;

-- name: move_days
-- Adds the daily counts of the absorbed to those of the survivors; per absorbed, the counts that it had.
WITH gone AS (
    DELETE FROM profiles_eventday d
    USING unnest(%(survivors)s::uuid[], %(absorbed)s::uuid[]) AS m(survivor, absorbed)
    WHERE d.profile_id = m.absorbed
    RETURNING m.survivor, m.absorbed, d.name_id, d.day, d.n, d.first_at, d.last_at
), added AS (
    INSERT INTO profiles_eventday AS d (profile_id, name_id, day, n, first_at, last_at)
    SELECT survivor, name_id, day, sum(n), min(first_at), max(last_at) FROM gone GROUP BY survivor, name_id, day
    ON CONFLICT (profile_id, name_id, day) DO UPDATE SET
        n = d.n + excluded.n,
        first_at = least(d.first_at, excluded.first_at),
        last_at = greatest(d.last_at, excluded.last_at)
)
SELECT absorbed, jsonb_agg(jsonb_build_array(name_id, day, n, first_at, last_at)) FROM gone GROUP BY absorbed;

-- name: move_identifiers
-- Points the names at the survivors; per absorbed, the ids of those that moved.
WITH moved AS (
    UPDATE profiles_identifier i SET profile_id = m.survivor
    FROM unnest(%(survivors)s::uuid[], %(absorbed)s::uuid[]) AS m(survivor, absorbed)
    WHERE i.profile_id = m.absorbed
    RETURNING m.absorbed, i.id
)
SELECT absorbed, array_agg(id) FROM moved GROUP BY absorbed;

-- name: move_pulses
-- What was still to be looked at is looked at on the survivor.
UPDATE profiles_pulse p SET profile_id = m.survivor
FROM unnest(%(survivors)s::uuid[], %(absorbed)s::uuid[]) AS m(survivor, absorbed)
WHERE p.profile_id = m.absorbed;

-- name: free_external_ids
-- An external id is unique: the absorbed let go of theirs before a survivor takes it.
UPDATE profiles_profile SET external_id = NULL WHERE id = ANY(%(ids)s) AND external_id IS NOT NULL;

-- name: write
-- Writes the merged values.
UPDATE profiles_profile p SET
    external_id = n.external_id, email = n.email, phone = n.phone, first_name = n.first_name,
    last_name = n.last_name, timezone = n.timezone, locale = n.locale, created_at = n.created_at,
    attributes = n.attributes, attribute_times = n.attribute_times, account_id = n.account_id,
    first_seen_at = n.first_seen_at, last_seen_at = n.last_seen_at
FROM jsonb_populate_recordset(NULL::profiles_profile, %(rows)s) AS n
WHERE p.id = n.id;

-- name: account_names
-- The names of the values that these companies have.
SELECT a.id, array(SELECT jsonb_object_keys(a.attributes)) FROM profiles_account a WHERE a.id = ANY(%(ids)s);

-- name: restore
-- The absorbed person's row, as it was.
INSERT INTO profiles_profile SELECT * FROM jsonb_populate_record(NULL::profiles_profile, %(row)s);

-- name: restore_identifiers
-- The names go back, of those that still lead to the survivor.
UPDATE profiles_identifier SET profile_id = %(absorbed)s WHERE profile_id = %(survivor)s AND id = ANY(%(ids)s);

-- name: restore_events
-- The events go back, of those that are still the survivor's.
UPDATE profiles_event SET profile_id = %(absorbed)s WHERE profile_id = %(survivor)s AND id = ANY(%(ids)s);

-- name: restore_days
-- The daily counts part again. The survivor's first and last come from its events of that day; where those are past
-- the retention nothing has been added since, and what was widened by the merge stays.
WITH theirs AS (
    SELECT (d->>0)::integer AS name_id, (d->>1)::date AS day, (d->>2)::integer AS n,
           (d->>3)::timestamptz AS first_at, (d->>4)::timestamptz AS last_at
    FROM jsonb_array_elements(%(days)s) AS d
), today AS (
    SELECT coalesce(t.renamed_to_id, t.id) AS name_id, d.day, sum(d.n)::integer AS n,
           min(d.first_at) AS first_at, max(d.last_at) AS last_at
    FROM theirs d JOIN profiles_eventtype t ON t.id = d.name_id GROUP BY 1, 2
), back AS (
    INSERT INTO profiles_eventday (profile_id, name_id, day, n, first_at, last_at)
    SELECT %(absorbed)s, name_id, day, n, first_at, last_at FROM today
), less AS (
    UPDATE profiles_eventday d SET
        n = d.n - t.n,
        first_at = coalesce(e.first_at, d.first_at),
        last_at = coalesce(e.last_at, d.last_at)
    FROM today t LEFT JOIN LATERAL (
        SELECT min(occurred_at) AS first_at, max(occurred_at) AS last_at FROM profiles_event
        WHERE profile_id = %(survivor)s AND name_id = t.name_id
          AND occurred_at >= t.day AT TIME ZONE 'UTC' AND occurred_at < (t.day + 1) AT TIME ZONE 'UTC'
    ) e ON true
    WHERE d.profile_id = %(survivor)s AND d.name_id = t.name_id AND d.day = t.day AND d.n > t.n
)
DELETE FROM profiles_eventday d USING today t
WHERE d.profile_id = %(survivor)s AND d.name_id = t.name_id AND d.day = t.day AND d.n <= t.n;
