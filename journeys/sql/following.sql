-- name: standing
-- How many are on the way in other versions of a journey than one, by version and step.
SELECT e.version_id, v.number, e.step, count(*)
FROM journeys_enrollment e
JOIN journeys_journeyversion v ON v.id = e.version_id
WHERE v.journey_id = %(journey)s AND e.state = 'active' AND e.version_id <> %(version)s
GROUP BY e.version_id, v.number, e.step;

-- name: to_be_carried
-- Some of those who stand on these steps of these versions; whom somebody else has in hand is found next time.
SELECT e.id, e.journey_id, e.version_id, e.profile_id, e.step, e.state, e.due_at, e.awaits, e.entered_at,
       e.step_entered_at, e.context, e.passed, e.attempts, e.converted_at
FROM unnest(%(versions)s::bigint[], %(steps)s::text[]) AS p(version_id, step)
JOIN journeys_enrollment e ON e.version_id = p.version_id AND e.step = p.step AND e.state = 'active'
LIMIT %(limit)s
FOR UPDATE OF e SKIP LOCKED;

-- name: left_to_carry
-- Whether anybody stands there still.
SELECT EXISTS (
    SELECT FROM unnest(%(versions)s::bigint[], %(steps)s::text[]) AS p(version_id, step)
    JOIN journeys_enrollment e ON e.version_id = p.version_id AND e.step = p.step AND e.state = 'active'
);

-- name: carry
-- Takes these into another version, and remembers what they have passed so far.
UPDATE journeys_enrollment e
SET version_id = %(version)s,
    passed = ARRAY(
        SELECT DISTINCT t.step FROM journeys_transition t
        WHERE t.enrollment_id = e.id AND t.answer = 'advance' AND t.step <> e.step
        UNION SELECT p FROM unnest(e.passed) AS p WHERE p <> e.step
    )
WHERE e.id = ANY(%(enrollments)s::uuid[]);
