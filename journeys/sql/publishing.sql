-- name: alone
-- Whoever asks whether journeys lead in a circle asks alone, until the transaction ends.
SELECT pg_advisory_xact_lock(hashtext('journeys.publishing.circles'));

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
