-- name: known
-- The attempts of a kind, the oldest first. Few: one a worker, and what dead workers left.
SELECT id FROM journeys_attempt WHERE kind = %(kind)s ORDER BY id LIMIT 100;

-- name: begin
-- An attempt, with its lock: it is held before anybody can see it.
WITH made AS (
    INSERT INTO journeys_attempt (kind, enrollments, tried, times, at)
    VALUES (%(kind)s, %(enrollments)s::uuid[], true, 1, clock_timestamp())
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

-- name: forget_old
-- A worker that died an hour ago while it looked at people says nothing any more.
DELETE FROM journeys_attempt WHERE kind = 'react' AND at < clock_timestamp() - interval '1 hour';
