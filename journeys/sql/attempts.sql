-- name: known
-- The attempts of a kind, the oldest first. Few: one a worker, and what dead workers left.
SELECT id FROM journeys_attempt WHERE kind = %(kind)s ORDER BY id LIMIT 100;

-- name: claim
-- Takes those who are due in hand, the longest overdue first, of each journey its share: an attempt, with its lock. Whom
-- others have in hand, or had when they died, is passed by.
WITH due AS MATERIALIZED (
    SELECT e.id
    FROM unnest(%(journeys)s::bigint[], %(shares)s::int[]) AS s(journey_id, share)
    CROSS JOIN LATERAL (
        SELECT e.id FROM journeys_enrollment e
        WHERE e.journey_id = s.journey_id AND e.state = 'active' AND e.due_at <= %(now)s
          AND e.id NOT IN (SELECT unnest(a.enrollments) FROM journeys_attempt a)
        ORDER BY e.due_at
        LIMIT s.share
        FOR UPDATE SKIP LOCKED
    ) AS e
), made AS (
    INSERT INTO journeys_attempt (kind, enrollments, tried, times, at)
    SELECT %(kind)s, array_agg(id), true, 1, clock_timestamp() FROM due HAVING count(*) > 0
    RETURNING id, cardinality(enrollments) AS people
)
SELECT id, people FROM made, LATERAL (SELECT pg_advisory_lock(212992011, (id %% 2147483647)::int)) AS l;

-- name: soon
-- This transaction is not waited for until it is on the disk: a database that dies takes word of who was in hand with it,
-- and no worker's death says anything of a step then.
SET LOCAL synchronous_commit = off;

-- name: begin
-- An attempt, with its lock: it is held before anybody can see it. Nor is this waited for until it is on the disk.
WITH made AS (
    INSERT INTO journeys_attempt (kind, enrollments, tried, times, at)
    SELECT %(kind)s, '{}', true, 1, clock_timestamp() FROM set_config('synchronous_commit', 'off', true)
    RETURNING id
)
SELECT id FROM made, LATERAL (SELECT pg_advisory_lock(212992011, (id %% 2147483647)::int)) AS l;

-- name: split
-- In the place of an attempt two of half its people each, which nobody has tried.
WITH gone AS (
    DELETE FROM journeys_attempt WHERE id = %(id)s RETURNING kind, at
)
INSERT INTO journeys_attempt (kind, enrollments, tried, times, at)
SELECT kind, part.enrollments, false, 0, at
FROM gone, (VALUES (%(first)s::uuid[]), (%(second)s::uuid[])) AS part(enrollments);

-- name: try
-- Whether the attempt's worker is gone; its lock is ours then.
SELECT pg_try_advisory_lock(212992011, (%(id)s::bigint %% 2147483647)::int);

-- name: release
-- Lets go of an attempt's lock.
SELECT pg_advisory_unlock(212992011, (%(id)s::bigint %% 2147483647)::int);

-- name: lately
-- Attempts at looking at people. A worker that died an hour ago says nothing any more, and is forgotten.
WITH old AS (
    DELETE FROM journeys_attempt WHERE kind = 'react' AND at < clock_timestamp() - interval '1 hour' RETURNING id
)
SELECT id FROM journeys_attempt WHERE kind = 'react' AND id NOT IN (SELECT id FROM old) ORDER BY id LIMIT 100;
