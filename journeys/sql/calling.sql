-- name: forget
-- Takes away what was given up for these enrollments at a step to which they have come anew.
DELETE FROM journeys_call
WHERE enrollment_id = ANY(%(enrollments)s::uuid[]) AND step = %(step)s AND state IN ('refused', 'expired', 'called_off');

-- name: give
-- Calls to be made. One that there is for the same step of the same enrollment stays as it is, and of several with the
-- same key the first is made.
INSERT INTO journeys_call (
    id, enrollment_id, journey_id, step, key, url, host, body, state, attempts, fence, due_at, expires_at, created_at,
    answer, reason
)
SELECT gen_random_uuid(), u.enrollment, e.journey_id, %(step)s, u.key, %(url)s, %(host)s, u.body, 'queued', 0, 0, %(now)s,
       u.expires, %(now)s, '{}', ''
FROM jsonb_to_recordset(%(rows)s::jsonb) AS u(enrollment uuid, key text, body text, expires timestamptz)
JOIN journeys_enrollment e ON e.id = u.enrollment
ORDER BY u.key, u.enrollment
ON CONFLICT DO NOTHING;

-- name: first
-- The calls that others with these keys rely on, held so that what becomes of them cannot be missed.
SELECT c.id FROM journeys_call c
WHERE c.journey_id IN (SELECT journey_id FROM journeys_enrollment WHERE id = ANY(%(enrollments)s::uuid[]))
  AND c.step = %(step)s AND c.key = ANY(%(keys)s::text[]) AND c.same_as IS NULL
  AND c.state IN ('queued', 'calling', 'done')
ORDER BY c.id
FOR SHARE OF c;

-- name: share
-- The same call for those whose key somebody else's has: it gets what the first one got, or will get.
INSERT INTO journeys_call (
    id, enrollment_id, journey_id, step, key, same_as, url, host, body, state, attempts, fence, due_at, expires_at,
    created_at, ended_at, status, answer, reason
)
SELECT gen_random_uuid(), u.enrollment, e.journey_id, %(step)s, u.key, c.id, c.url, c.host, c.body,
       CASE c.state WHEN 'done' THEN 'done' ELSE 'queued' END, 0, 0,
       CASE c.state WHEN 'done' THEN NULL ELSE %(now)s::timestamptz END, u.expires, %(now)s,
       CASE c.state WHEN 'done' THEN %(now)s::timestamptz END, c.status, c.answer, c.reason
FROM jsonb_to_recordset(%(rows)s::jsonb) AS u(enrollment uuid, key text, expires timestamptz)
JOIN journeys_enrollment e ON e.id = u.enrollment
JOIN journeys_call c ON c.journey_id = e.journey_id AND c.step = %(step)s AND c.key = u.key AND c.same_as IS NULL
 AND c.state IN ('queued', 'calling', 'done') AND c.enrollment_id <> u.enrollment
WHERE u.key <> ''
ON CONFLICT DO NOTHING
RETURNING id, state;

-- name: expire
-- Closes what is under way and past its time, and tells how.
UPDATE journeys_call c
SET state = 'expired', ended_at = %(now)s, due_at = NULL, leased_until = NULL,
    reason = 'It was not taken in time. ' || c.reason
FROM (
    SELECT id FROM journeys_call
    WHERE state IN ('queued', 'calling') AND expires_at <= %(now)s
      AND (leased_until IS NULL OR leased_until < clock_timestamp())
    ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
) AS over
WHERE over.id = c.id
RETURNING c.id;

-- name: claim
-- Takes calls that are due, of live journeys, no more than a few to one host, and those whose worker died. What shares
-- another's call waits for it, as long as there is one.
WITH RECURSIVE hosts AS (
    (SELECT host FROM journeys_call WHERE state = 'queued' ORDER BY host LIMIT 1)
    UNION ALL
    SELECT (SELECT c.host FROM journeys_call c WHERE c.state = 'queued' AND c.host > h.host ORDER BY c.host LIMIT 1)
    FROM hosts h WHERE h.host IS NOT NULL
), due AS (
    SELECT d.id, d.place
    FROM hosts h
    CROSS JOIN LATERAL (
        SELECT c.id, row_number() OVER (ORDER BY c.due_at, c.id) AS place
        FROM journeys_call c
        JOIN journeys_journey j ON j.id = c.journey_id AND j.status = 'live'
        WHERE c.host = h.host AND c.state = 'queued' AND c.due_at <= %(now)s AND c.expires_at > %(now)s
          AND NOT EXISTS (SELECT FROM journeys_call o WHERE o.id = c.same_as AND o.state IN ('queued', 'calling'))
        ORDER BY c.due_at, c.id
        LIMIT %(a_host)s
    ) AS d
    UNION ALL
    SELECT id, 0 FROM journeys_call
    WHERE state = 'calling' AND leased_until < clock_timestamp() AND expires_at > %(now)s
), taken AS (
    SELECT c.id FROM journeys_call c JOIN due d ON d.id = c.id
    WHERE c.state = 'queued' OR (c.state = 'calling' AND c.leased_until < clock_timestamp())
    ORDER BY d.place, c.due_at
    LIMIT %(limit)s
    FOR UPDATE OF c SKIP LOCKED
)
UPDATE journeys_call c
SET state = 'calling', attempts = attempts + 1, fence = fence + 1, leased_until = clock_timestamp() + %(lease)s
FROM taken t
WHERE t.id = c.id
RETURNING c.id, c.journey_id, c.step, c.key, c.url, c.body, c.fence, c.attempts, c.expires_at;

-- name: end
-- Writes what became of a call, if its worker has it still.
UPDATE journeys_call
SET state = %(state)s, status = %(status)s, answer = %(answer)s::jsonb, reason = %(reason)s, ended_at = %(now)s,
    due_at = NULL, leased_until = NULL
WHERE id = %(id)s AND fence = %(fence)s AND state = 'calling'
RETURNING id;

-- name: share_end
-- Those that share the call have got what it got.
UPDATE journeys_call c
SET state = o.state, status = o.status, answer = o.answer, reason = o.reason, ended_at = o.ended_at, due_at = NULL
FROM journeys_call o
WHERE o.id = ANY(%(ids)s::uuid[]) AND c.same_as = o.id AND c.state = 'queued'
RETURNING c.id;

-- name: again
-- Puts a call off, if its worker has it still.
UPDATE journeys_call
SET state = 'queued', status = %(status)s, reason = %(reason)s, due_at = %(due)s, leased_until = NULL
WHERE id = %(id)s AND fence = %(fence)s AND state = 'calling';

-- name: call_off
-- Closes all that waits to be sent for these enrollments; what others rely on goes on for them.
UPDATE journeys_call c SET state = 'called_off', ended_at = %(now)s, due_at = NULL, leased_until = NULL
WHERE c.enrollment_id = ANY(%(enrollments)s::uuid[]) AND c.state = 'queued'
  AND NOT EXISTS (SELECT FROM journeys_call o WHERE o.same_as = c.id AND o.state = 'queued');

-- name: give_up
-- Closes what waits to be sent for these enrollments at a step that they pass; what others rely on goes on for them.
UPDATE journeys_call c SET state = 'expired', ended_at = %(now)s, due_at = NULL, leased_until = NULL
WHERE c.enrollment_id = ANY(%(enrollments)s::uuid[]) AND c.step = %(step)s AND c.state = 'queued'
  AND NOT EXISTS (SELECT FROM journeys_call o WHERE o.same_as = c.id AND o.state = 'queued');
