-- name: lost
-- Nobody on the way stands at a step that their version does not have.
SELECT e.id, format('stands at the step %%s, which version %%s does not have', e.step, v.number)
FROM journeys_enrollment e
JOIN journeys_journeyversion v ON v.id = e.version_id
WHERE e.state = 'active' AND NOT coalesce(v.program->'steps' ? e.step, false);

-- name: late
-- Nobody who is due in a live journey is left lying.
SELECT e.id, format('should have gone on at %%s', e.due_at)
FROM journeys_enrollment e
JOIN journeys_journey j ON j.id = e.journey_id
WHERE j.status = 'live' AND e.state = 'active' AND e.due_at < %(now)s::timestamptz - interval '1 hour';

-- name: tried
-- Nobody is tried more often than the engine tries.
SELECT id, format('was tried %%s times', attempts) FROM journeys_enrollment WHERE attempts > %(most)s;

-- name: unexplained
-- Whoever has ended was told why.
SELECT id, 'ended without a reason' FROM journeys_enrollment WHERE state <> 'active' AND reason = '';

-- name: entered
-- Everybody entered once, at the first step.
SELECT e.id, format('entered %%s times', count(t.id))
FROM journeys_enrollment e
LEFT JOIN journeys_transition t ON t.enrollment_id = e.id AND t.answer = 'entered'
GROUP BY e.id
HAVING count(t.id) <> 1
UNION ALL
SELECT t.enrollment_id, format('entered at the step %%s, which is not the first', t.step)
FROM journeys_transition t
JOIN journeys_journeyversion v ON v.id = t.version_id
WHERE t.answer = 'entered' AND t.step IS DISTINCT FROM v.program->>'first';

-- name: strayed
-- What everybody went through is a path of the program that they were in, and leads to where they stand; staff alone put
-- people elsewhere.
WITH edges AS (
    SELECT v.id AS version_id, s.key AS step, a.arm, a.next
    FROM journeys_journeyversion v
    CROSS JOIN LATERAL jsonb_each(v.program->'steps') AS s
    CROSS JOIN LATERAL (
        SELECT '' AS arm, s.value->>'next' AS next
        UNION ALL
        SELECT key, value #>> '{}' FROM jsonb_each(s.value->'arms')
    ) AS a
    WHERE v.program IS NOT NULL
), told AS (
    SELECT t.enrollment_id, t.answer, t.step, t.arm, n.step IS NOT NULL AS known,
           CASE WHEN t.answer = 'advance' THEN n.next ELSE t.step END AS expected,
           lead(t.step) OVER w AS following, coalesce(lead(t.answer) OVER w, '') = 'moved' AS moved,
           lead(t.id) OVER w IS NULL AS last
    FROM journeys_transition t
    LEFT JOIN edges n ON n.version_id = t.version_id AND n.step = t.step AND n.arm = t.arm
    WINDOW w AS (PARTITION BY t.enrollment_id ORDER BY t.id)
)
SELECT e.id, format('went from %%s (%%s %%s) to %%s', t.step, t.answer, t.arm, coalesce(t.following, e.step))
FROM told t
JOIN journeys_enrollment e ON e.id = t.enrollment_id
WHERE NOT t.known
   OR (NOT t.last AND NOT t.moved AND (t.answer IN ('leave', 'ended', 'failed') OR t.following IS DISTINCT FROM t.expected))
   OR (t.last AND NOT CASE
        WHEN t.answer IN ('leave', 'ended') THEN e.state = 'exited'
        WHEN t.answer = 'failed' THEN e.state = 'failed'
        WHEN t.answer = 'advance' AND t.expected IS NULL THEN e.state = 'completed'
        ELSE e.state = 'active' AND e.step = t.expected
   END);

-- name: unsaid
-- Every message step that was passed has its message: one, and none that was not passed.
SELECT t.enrollment_id, format('passed the message %%s, which was never queued', t.step)
FROM journeys_transition t
JOIN journeys_enrollment e ON e.id = t.enrollment_id
WHERE t.kind = 'message' AND t.answer = 'advance' AND NOT EXISTS (
    SELECT FROM generate_series(0, coalesce((e.context->>'moved')::int, 0)) AS n(times)
    JOIN messaging_message m ON m.idempotency_key = format('journey:%%s:%%s', t.enrollment_id, t.step)
        || CASE n.times WHEN 0 THEN '' ELSE ':' || n.times END
)
UNION ALL
SELECT m.enrollment, format('has a message of the step %%s, which they never passed', m.step)
FROM messaging_message m
JOIN journeys_enrollment e ON e.id = m.enrollment
WHERE m.step <> '' AND NOT EXISTS (
    SELECT FROM journeys_transition t
    WHERE t.enrollment_id = m.enrollment AND t.step = m.step AND t.kind = 'message' AND t.answer = 'advance'
);

-- name: untold
-- Whoever entered or ended was told of to the rest of Cairn, as an event.
SELECT e.id, format('has no event %%s', n.name)
FROM journeys_enrollment e
CROSS JOIN LATERAL (
    SELECT '$journey_entered' AS name, e.entered_at AS since
    UNION ALL
    SELECT CASE e.state WHEN 'completed' THEN '$journey_completed' ELSE '$journey_exited' END, e.ended_at
    WHERE e.state <> 'active' AND e.ended_by <> 'merged'
) AS n
WHERE NOT EXISTS (
    SELECT FROM profiles_event v
    JOIN profiles_eventtype k ON k.id = v.name_id
    WHERE v.profile_id = e.profile_id AND k.name = n.name AND v.occurred_at >= n.since
      AND v.message_id IN (n.name || ':' || e.id, n.name || ':' || e.id || ':' || coalesce(e.context->>'again', ''))
);

-- name: orphaned
-- Every line of a story belongs to somebody on a journey: the database itself does not look.
SELECT t.enrollment_id, format('is gone, and the line of %%s is left of its story', t.step)
FROM journeys_transition t
WHERE NOT EXISTS (SELECT FROM journeys_enrollment e WHERE e.id = t.enrollment_id);

-- name: in_hand
-- Nobody is in the hands of a worker for an hour: what a dead one had is taken over within seconds.
SELECT u.id, format('is in the hands of a worker since %%s', a.at)
FROM journeys_attempt a
CROSS JOIN LATERAL unnest(a.enrollments) AS u(id)
WHERE a.at < clock_timestamp() - interval '1 hour';

-- name: unsettled
-- What was being sent is settled within twice the time that a worker may take; what failed or was held back says why.
SELECT m.id, format('is being sent since %%s', m.sending_at)
FROM messaging_message m
WHERE m.state = 'sending' AND m.sending_at < %(now)s::timestamptz - 2 * %(lease)s::interval
UNION ALL
SELECT m.id, format('is %%s without a reason', m.state)
FROM messaging_message m
WHERE m.state IN ('suppressed', 'expired', 'failed', 'deferred', 'unknown') AND m.reason = '';

-- name: premature
-- Nothing was sent before it was queued, nor after it was stale.
SELECT m.id, format('was sent at %%s, and queued at %%s', m.sending_at, m.queued_at)
FROM messaging_message m
WHERE m.sending_at < m.queued_at
UNION ALL
SELECT m.id, format('was sent at %%s, and was stale since %%s', m.sending_at, m.expires_at)
FROM messaging_message m
WHERE m.state = 'sent' AND m.sending_at > m.expires_at;
