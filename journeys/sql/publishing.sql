-- name: alone
-- Whoever asks whether journeys lead in a circle asks alone, until the transaction ends.
SELECT pg_advisory_xact_lock(hashtext('journeys.publishing.circles'));

-- name: follow
-- Takes everybody on the way along into the new version, and remembers what they have passed. Who stands on a step that
-- says something else now is asked again: at once, but no more of them a minute than the ramp allows.
WITH held AS (
    SELECT e.id, e.step, e.due_at FROM journeys_enrollment e
    WHERE e.journey_id = %(journey)s AND e.state = 'active' AND e.version_id <> %(version)s
    ORDER BY e.id
    FOR UPDATE
), going AS (
    SELECT id, step, row_number() OVER (PARTITION BY step = ANY(%(changed)s::text[]) ORDER BY due_at, id) AS place
    FROM held
), followed AS (
    UPDATE journeys_enrollment e
    SET version_id = %(version)s,
        passed = ARRAY(
            SELECT DISTINCT t.step FROM journeys_transition t
            WHERE t.enrollment_id = e.id AND t.answer = 'advance' AND t.step <> e.step
            UNION SELECT unnest(e.passed)
        ),
        due_at = CASE
            WHEN g.step = ANY(%(changed)s::text[])
            THEN %(now)s::timestamptz + make_interval(mins => ((g.place - 1) / %(ramp)s)::int)
            ELSE e.due_at
        END
    FROM going g
    WHERE e.id = g.id
    RETURNING e.id, e.step
)
INSERT INTO journeys_transition (enrollment_id, version_id, step, kind, answer, arm, at, reason)
SELECT id, %(version)s, step, '', 'follow', '', %(now)s, 'The journey was changed, and they go on in its new version.'
FROM followed;

-- name: shift
-- Puts everybody's times off by the length of the pause, as if it had not been.
UPDATE journeys_enrollment e
SET due_at = e.due_at + %(length)s, step_entered_at = e.step_entered_at + %(length)s
FROM (
    SELECT id FROM journeys_enrollment WHERE journey_id = %(journey)s AND state = 'active' ORDER BY id FOR UPDATE
) AS held
WHERE e.id = held.id;

-- name: catch_up
-- Lets those who became due during the pause go on at the ramp, and asks those who await something what they missed.
WITH held AS (
    SELECT id, due_at FROM journeys_enrollment
    WHERE journey_id = %(journey)s AND state = 'active' AND (due_at <= %(now)s OR awaits <> '{}')
    ORDER BY id FOR UPDATE
), late AS (
    SELECT id, row_number() OVER (ORDER BY due_at, id) AS place FROM held
)
UPDATE journeys_enrollment e
SET due_at = %(now)s::timestamptz + make_interval(mins => ((late.place - 1) / %(ramp)s)::int)
FROM late WHERE late.id = e.id;
