-- name: standing
-- How it stands with the enrollments that messages belong to: the journey, the ending, and the enrollment itself.
SELECT e.id, j.name, j.status, e.ended_by, e.reason,
       e.id, e.journey_id, e.version_id, e.profile_id, e.step, e.state, e.due_at, e.awaits, e.entered_at,
       e.step_entered_at, e.context, e.passed, e.attempts, e.converted_at
FROM journeys_enrollment e
JOIN journeys_journey j ON j.id = e.journey_id
WHERE e.id = ANY(%(enrollments)s::uuid[]);

-- name: hold
-- The enrollments of all who take part in a merge, held in order of id: the engine may have some of them in hand.
SELECT id FROM journeys_enrollment
WHERE profile_id = ANY(%(survivors)s::uuid[] || %(absorbed)s::uuid[]) AND state = 'active'
ORDER BY id
FOR UPDATE;

-- name: end_the_one_behind
-- Where one person would be on the way in a journey twice, ends all but the enrollment that went furthest.
WITH people AS (
    SELECT absorbed AS profile_id, survivor AS person
    FROM unnest(%(survivors)s::uuid[], %(absorbed)s::uuid[]) AS m(survivor, absorbed)
    UNION
    SELECT survivor, survivor FROM unnest(%(survivors)s::uuid[]) AS s(survivor)
), ranked AS (
    SELECT e.id, e.version_id, e.step, row_number() OVER (
        PARTITION BY e.journey_id, p.person
        ORDER BY (SELECT count(*) FROM journeys_transition t WHERE t.enrollment_id = e.id AND t.answer = 'advance') DESC,
                 e.step_entered_at DESC, e.entered_at, e.id
    ) AS place
    FROM people p
    JOIN journeys_enrollment e ON e.profile_id = p.profile_id AND e.state = 'active' AND e.exclusive
), ended AS (
    UPDATE journeys_enrollment e
    SET state = 'exited', ended_by = 'merged', ended_at = %(now)s, due_at = NULL, awaits = '{}',
        reason = 'Two people turned out to be one, who was further ahead already.'
    FROM ranked r WHERE r.id = e.id AND r.place > 1
    RETURNING e.id, e.version_id, e.step, e.reason
), told AS (
    INSERT INTO journeys_transition (enrollment_id, version_id, step, kind, answer, arm, at, reason)
    SELECT id, version_id, step, '', 'ended', '', %(now)s, reason FROM ended
)
SELECT id FROM ended;

-- name: tell_apart
-- Two who entered by the same key (both by hand, say) keep both stories: the absorbed one's key says whose it was.
UPDATE journeys_enrollment e
SET entry_key = left(e.entry_key, 250) || ' of ' || e.profile_id
FROM unnest(%(survivors)s::uuid[], %(absorbed)s::uuid[]) AS m(survivor, absorbed)
WHERE e.profile_id = m.absorbed AND EXISTS (
    SELECT FROM journeys_enrollment o
    WHERE o.journey_id = e.journey_id AND o.entry_key = e.entry_key AND o.id <> e.id
      AND o.profile_id = ANY(%(survivors)s::uuid[] || %(absorbed)s::uuid[])
);

-- name: move
-- Gives the survivors what the absorbed went through.
UPDATE journeys_enrollment e SET profile_id = m.survivor
FROM unnest(%(survivors)s::uuid[], %(absorbed)s::uuid[]) AS m(survivor, absorbed)
WHERE e.profile_id = m.absorbed;

-- name: move_tasks
-- The same with the work that it led to.
UPDATE journeys_task t SET profile_id = m.survivor
FROM unnest(%(survivors)s::uuid[], %(absorbed)s::uuid[]) AS m(survivor, absorbed)
WHERE t.profile_id = m.absorbed;

-- name: move_refusals
-- The same with who did not enter; the same cause is counted together.
INSERT INTO journeys_refusal AS r (journey_id, profile_id, cause, at, entry_key, times, reason)
SELECT DISTINCT ON (o.journey_id, m.survivor, o.cause) o.journey_id, m.survivor, o.cause, o.at, o.entry_key,
       sum(o.times) OVER (PARTITION BY o.journey_id, m.survivor, o.cause), o.reason
FROM unnest(%(survivors)s::uuid[], %(absorbed)s::uuid[]) AS m(survivor, absorbed)
JOIN journeys_refusal o ON o.profile_id = m.absorbed
ORDER BY o.journey_id, m.survivor, o.cause, o.at DESC
ON CONFLICT (journey_id, profile_id, cause) DO UPDATE SET times = r.times + excluded.times, at = greatest(r.at, excluded.at);

-- name: drop_refusals
-- What was counted together stands with the survivor only.
DELETE FROM journeys_refusal WHERE profile_id = ANY(%(absorbed)s::uuid[]);

-- name: move_assignments
-- Of two arms of one split the one drawn first is kept.
INSERT INTO journeys_assignment AS a (journey, step, profile_id, arm, at)
SELECT DISTINCT ON (o.journey, o.step, m.survivor) o.journey, o.step, m.survivor, o.arm, o.at
FROM unnest(%(survivors)s::uuid[], %(absorbed)s::uuid[]) AS m(survivor, absorbed)
JOIN journeys_assignment o ON o.profile_id = m.absorbed
ORDER BY o.journey, o.step, m.survivor, o.at, o.id
ON CONFLICT (journey, step, profile_id) DO UPDATE SET arm = excluded.arm, at = excluded.at WHERE excluded.at < a.at;

-- name: drop_assignments
-- What was moved stands with the survivor only.
DELETE FROM journeys_assignment WHERE profile_id = ANY(%(absorbed)s::uuid[]);

-- name: drop_appointments
-- When the survivors are to enter is worked out anew; what was written for the absorbed is of no use.
DELETE FROM journeys_appointment WHERE profile_id = ANY(%(absorbed)s::uuid[]);

-- name: move_queued
-- Who waits to enter a journey that is paused, waits as the one who lives on.
UPDATE journeys_queuedentry q SET profile_id = m.survivor
FROM (
    SELECT DISTINCT ON (o.journey_id, o.key, m.survivor) o.id, m.survivor
    FROM unnest(%(survivors)s::uuid[], %(absorbed)s::uuid[]) AS m(survivor, absorbed)
    JOIN journeys_queuedentry o ON o.profile_id = m.absorbed
    ORDER BY o.journey_id, o.key, m.survivor, o.at
) AS m
WHERE q.id = m.id AND NOT EXISTS (
    SELECT FROM journeys_queuedentry s WHERE s.journey_id = q.journey_id AND s.profile_id = m.survivor AND s.key = q.key
);

-- name: drop_queued
-- What the survivor waits for already, is not waited for twice.
DELETE FROM journeys_queuedentry WHERE profile_id = ANY(%(absorbed)s::uuid[]);
