-- name: claim
-- Claims message ids, and says which of them nobody had. Who claimed one and has not committed yet is waited for.
-- In order of id, so that two batches never wait for each other in a circle.
INSERT INTO profiles_claim (id, received_at)
SELECT c.id, %(now)s FROM unnest(%(ids)s::uuid[]) AS c(id) ORDER BY c.id
ON CONFLICT DO NOTHING
RETURNING id;

-- name: resolve
-- The people behind these names, held until the transaction ends; with their row where `whole` asks for it.
-- In order of id, as all who hold people do.
SELECT i.kind, i.value, p.id, p.external_id, CASE WHEN asked.whole THEN to_jsonb(p) END
FROM jsonb_to_recordset(%(names)s) AS asked(kind text, value text, whole boolean)
JOIN profiles_identifier i ON i.kind = asked.kind AND i.value = asked.value
JOIN profiles_profile p ON p.id = i.profile_id
ORDER BY p.id
FOR NO KEY UPDATE OF p;

-- name: busy
-- Those of these people who have done something, or have come by an anonymous id before.
SELECT p.id FROM unnest(%(ids)s::uuid[]) AS p(id)
WHERE EXISTS (SELECT FROM profiles_identifier i WHERE i.profile_id = p.id AND i.kind = 'anonymous_id')
   OR EXISTS (
       SELECT FROM profiles_eventday d JOIN profiles_eventtype t ON t.id = d.name_id
       WHERE d.profile_id = p.id AND NOT starts_with(t.name, '$')
   );

-- name: name_people
-- Names under which people are known. Fewer rows than names: somebody else took one meanwhile.
INSERT INTO profiles_identifier (kind, value, profile_id, created_at)
SELECT n.kind, n.value, n.profile, %(now)s
FROM jsonb_to_recordset(%(names)s) AS n(kind text, value text, profile uuid)
ORDER BY n.kind, n.value
ON CONFLICT DO NOTHING;

-- name: make_people
-- New people. Fewer rows than people: somebody else made one with the same external id meanwhile.
INSERT INTO profiles_profile
SELECT n.* FROM jsonb_populate_recordset(NULL::profiles_profile, %(rows)s) AS n
ORDER BY n.external_id
ON CONFLICT DO NOTHING;

-- name: write_people
-- What people have become, of those who are held.
UPDATE profiles_profile p SET
    external_id = n.external_id, email = n.email, phone = n.phone, first_name = n.first_name,
    last_name = n.last_name, timezone = n.timezone, locale = n.locale, created_at = n.created_at,
    attributes = n.attributes, attribute_times = n.attribute_times, account_id = n.account_id,
    first_seen_at = n.first_seen_at, last_seen_at = n.last_seen_at
FROM jsonb_populate_recordset(NULL::profiles_profile, %(rows)s) AS n
WHERE p.id = n.id;

-- name: make_accounts
-- Companies that nobody has named before.
INSERT INTO profiles_account (id, external_id, attributes, attribute_times, created_at)
SELECT gen_random_uuid(), n.external_id, '{}', '{}', %(now)s
FROM unnest(%(external_ids)s::text[]) AS n(external_id) ORDER BY n.external_id
ON CONFLICT DO NOTHING
RETURNING external_id;

-- name: hold_accounts
-- The companies, held until the transaction ends. In order, as above.
SELECT to_jsonb(a) FROM profiles_account a WHERE a.external_id = ANY(%(external_ids)s)
ORDER BY a.external_id FOR NO KEY UPDATE;

-- name: write_accounts
-- What companies have become, of those that are held.
UPDATE profiles_account a SET name = n.name, attributes = n.attributes, attribute_times = n.attribute_times
FROM jsonb_populate_recordset(NULL::profiles_account, %(rows)s) AS n
WHERE a.id = n.id;

-- name: pulse_colleagues
-- Word of a company's changed values for all of its people.
INSERT INTO profiles_pulse (profile_id, at, cause, names, attributes, events)
SELECT p.id, %(now)s, c.cause, '{}', c.attributes, '{}'
FROM jsonb_to_recordset(%(rows)s) AS c(account uuid, cause text, attributes text[])
JOIN profiles_profile p ON p.account_id = c.account;

-- name: account_names
-- The names of the values that these companies have.
SELECT a.id, array(SELECT jsonb_object_keys(a.attributes)) FROM profiles_account a WHERE a.id = ANY(%(ids)s::uuid[]);

-- name: disagree
-- Pairs of known people that a call wanted to be one, unless the pair was seen before: staff decide once.
INSERT INTO profiles_identityconflict (first_id, second_id, reason, seen_at, resolution)
SELECT c.first, c.second, c.reason, %(now)s, ''
FROM unnest(%(first)s::uuid[], %(second)s::uuid[], %(reasons)s::text[]) AS c(first, second, reason)
WHERE NOT EXISTS (
    SELECT FROM profiles_identityconflict o
    WHERE (o.first_id, o.second_id) IN ((c.first, c.second), (c.second, c.first))
)
ORDER BY c.first, c.second
ON CONFLICT DO NOTHING;

-- name: settle
-- Stores events, in the order given, and adds them to their days' counts. Those who did them were seen then, if `seen`
-- says so, and are to be looked at again, as are those of whom anything else changed: one pulse each for what is fresh,
-- and one for what is history, so that the one never passes for the other.
WITH given AS MATERIALIZED (
    SELECT nextval('profiles_event_id') AS id, g.*
    FROM jsonb_to_recordset(%(events)s) AS g(
        message text, profile uuid, name integer, at timestamptz, triggers boolean, properties jsonb
    )
), stored AS (
    INSERT INTO profiles_event (id, message_id, profile_id, name_id, occurred_at, received_at, properties)
    SELECT id, message, profile, name, at, %(now)s, properties FROM given
), counted AS (
    INSERT INTO profiles_eventday AS d (profile_id, name_id, day, n, first_at, last_at)
    SELECT profile, name, (at AT TIME ZONE 'UTC')::date AS day, count(*), min(at), max(at)
    FROM given GROUP BY profile, name, day
    -- In order, so that two who count for one person never wait for each other in a circle.
    ORDER BY profile, name, day
    ON CONFLICT (profile_id, name_id, day) DO UPDATE SET
        n = d.n + excluded.n,
        first_at = least(d.first_at, excluded.first_at),
        last_at = greatest(d.last_at, excluded.last_at)
), told AS MATERIALIZED (
    SELECT profile, triggers AS fresh, array_agg(DISTINCT name) AS names, min(at) AS first_at, max(at) AS last_at,
        coalesce(array_agg(id ORDER BY id) FILTER (WHERE triggers), '{}') AS events
    FROM given GROUP BY profile, triggers
), seen AS (
    UPDATE profiles_profile p SET
        first_seen_at = least(p.first_seen_at, t.first_at), last_seen_at = greatest(p.last_seen_at, t.last_at)
    FROM (SELECT profile, min(first_at) AS first_at, max(last_at) AS last_at FROM told GROUP BY profile) AS t
    WHERE %(seen)s AND p.id = t.profile AND (t.first_at < p.first_seen_at OR t.last_at > p.last_seen_at)
)
INSERT INTO profiles_pulse (profile_id, at, crowd, cause, names, attributes, events, first_at, last_at)
SELECT profile, %(now)s, %(crowd)s,
    CASE WHEN NOT fresh THEN 'history' WHEN t.events <> '{}' THEN 'event' ELSE 'attribute' END,
    coalesce(t.names, '{}'), coalesce(c.attributes, '{}'), coalesce(t.events, '{}'), t.first_at, t.last_at
FROM told t
FULL JOIN jsonb_to_recordset(%(changes)s) AS c(profile uuid, fresh boolean, attributes text[]) USING (profile, fresh);

-- name: share_people
-- Those of these people who are there, and stay until the transaction ends.
SELECT p.id FROM profiles_profile p WHERE p.id = ANY(%(ids)s) ORDER BY p.id FOR KEY SHARE;

-- name: share_or_miss
-- Has these people stay until the transaction ends, as above; returns those who are not there.
WITH there AS MATERIALIZED (
    SELECT p.id FROM profiles_profile p WHERE p.id = ANY(%(ids)s::uuid[]) ORDER BY p.id FOR KEY SHARE
)
SELECT id FROM unnest(%(ids)s::uuid[]) AS u(id) EXCEPT SELECT id FROM there;

-- name: settle_alike
-- Claims the ids of events that are the same for many, and stores and counts those that nobody had, as `settle` does.
WITH asked AS MATERIALIZED (
    SELECT row_number() OVER () AS place, g.prefix || i.id AS message, i.profile, g.name,
        g.properties || jsonb_build_object(g.subject, i.id) AS properties,
        encode(substr(sha256(convert_to(g.prefix || i.id, 'UTF8')), 1, 16), 'hex')::uuid AS digest
    FROM jsonb_to_recordset(%(groups)s::jsonb) AS g(
        prefix text, name integer, subject text, properties jsonb, ids uuid[], profiles uuid[]
    )
    CROSS JOIN LATERAL unnest(g.ids, g.profiles) AS i(id, profile)
), claimed AS (
    INSERT INTO profiles_claim (id, received_at) SELECT digest, %(now)s FROM asked ORDER BY digest
    ON CONFLICT DO NOTHING
    RETURNING id
), given AS MATERIALIZED (
    SELECT nextval('profiles_event_id') AS id, o.*
    FROM (SELECT a.* FROM asked a JOIN claimed c ON c.id = a.digest ORDER BY a.place) AS o
), stored AS (
    INSERT INTO profiles_event (id, message_id, profile_id, name_id, occurred_at, received_at, properties)
    SELECT id, message, profile, name, %(now)s, %(now)s, properties FROM given
), counted AS (
    INSERT INTO profiles_eventday AS d (profile_id, name_id, day, n, first_at, last_at)
    SELECT profile, name, (%(now)s::timestamptz AT TIME ZONE 'UTC')::date, count(*), %(now)s, %(now)s
    FROM given GROUP BY profile, name
    ORDER BY profile, name
    ON CONFLICT (profile_id, name_id, day) DO UPDATE SET
        n = d.n + excluded.n,
        first_at = least(d.first_at, excluded.first_at),
        last_at = greatest(d.last_at, excluded.last_at)
)
INSERT INTO profiles_pulse (profile_id, at, crowd, cause, names, attributes, events, first_at, last_at)
SELECT profile, %(now)s, %(crowd)s, 'event', array_agg(DISTINCT name), '{}', array_agg(id ORDER BY id), %(now)s, %(now)s
FROM given GROUP BY profile;
