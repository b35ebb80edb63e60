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

-- name: ask
-- Asks those who await something, and are not due yet, what they missed; at the ramp.
WITH held AS (
    SELECT id, due_at FROM journeys_enrollment
    WHERE journey_id = %(journey)s AND state = 'active' AND awaits <> '{}' AND due_at > %(now)s
    ORDER BY id FOR UPDATE
), late AS (
    SELECT id, row_number() OVER (ORDER BY due_at, id) AS place FROM held
)
UPDATE journeys_enrollment e
SET due_at = %(now)s::timestamptz + interval '1 second' + make_interval(mins => ((late.place - 1) / %(ramp)s)::int)
FROM late WHERE late.id = e.id;

-- name: on_the_way
-- How many are on the way.
SELECT count(*) FROM journeys_enrollment WHERE journey_id = %(journey)s AND state = 'active';

-- name: late_batch
-- Lets some of those who became due during the pause go on, the longest overdue first, at the ramp; how many.
WITH held AS (
    SELECT id, due_at FROM journeys_enrollment
    -- Whoever was taken is due then, or later.
    WHERE journey_id = %(journey)s AND state = 'active' AND due_at < %(resumed)s
    -- Whom somebody else has in hand is not waited for: they stay due, and go on without the ramp.
    ORDER BY due_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), late AS (
    SELECT id, row_number() OVER (ORDER BY due_at, id) + %(late)s - 1 AS place FROM held
), done AS (
    UPDATE journeys_enrollment e
    SET due_at = %(resumed)s::timestamptz + make_interval(mins => (late.place / %(ramp)s)::int)
    FROM late WHERE late.id = e.id
)
SELECT count(*), NULL::uuid FROM held;

-- name: shift_batch
-- Puts off the times of some, behind one by id, by the length of the pause; how many, and the last of them. Who came to
-- their step since is left as they are.
WITH held AS (
    SELECT id FROM journeys_enrollment
    WHERE journey_id = %(journey)s AND state = 'active' AND step_entered_at <= %(resumed)s
      AND (%(after)s::uuid IS NULL OR id > %(after)s::uuid)
    ORDER BY id LIMIT %(limit)s FOR UPDATE
), done AS (
    UPDATE journeys_enrollment e
    SET due_at = e.due_at + %(length)s, step_entered_at = e.step_entered_at + %(length)s
    FROM held WHERE e.id = held.id
)
SELECT count(*), (SELECT id FROM held ORDER BY id DESC LIMIT 1) FROM held;

-- name: ask_batch
-- Asks some of those who await something, and are not due yet, what they missed, at the ramp; as above.
WITH held AS (
    SELECT id, due_at FROM journeys_enrollment
    WHERE journey_id = %(journey)s AND state = 'active' AND awaits <> '{}' AND due_at > %(resumed)s
      AND step_entered_at <= %(resumed)s AND (%(after)s::uuid IS NULL OR id > %(after)s::uuid)
    ORDER BY id LIMIT %(limit)s FOR UPDATE
), late AS (
    SELECT id, row_number() OVER (ORDER BY due_at, id) + %(late)s - 1 AS place FROM held
), done AS (
    UPDATE journeys_enrollment e
    -- Nobody later than they are due by themselves.
    SET due_at = least(
        e.due_at, %(resumed)s::timestamptz + interval '1 second' + make_interval(mins => (late.place / %(ramp)s)::int)
    )
    FROM late WHERE late.id = e.id
)
SELECT count(*), (SELECT id FROM held ORDER BY id DESC LIMIT 1) FROM held;

-- name: let_in_batch
-- Says of some of those who came meanwhile when they enter: as they came, at the ramp; how many.
WITH queued AS (
    SELECT id, at FROM journeys_queuedentry WHERE journey_id = %(journey)s AND due_at IS NULL
    ORDER BY at, id LIMIT %(limit)s
), late AS (
    SELECT id, row_number() OVER (ORDER BY at, id) + %(late)s - 1 AS place FROM queued
), done AS (
    UPDATE journeys_queuedentry q
    SET due_at = %(resumed)s::timestamptz + make_interval(mins => (late.place / %(ramp)s)::int)
    FROM late WHERE late.id = q.id
)
SELECT count(*), NULL::uuid FROM queued;

-- name: missed
-- Some of those who became due before the journey was resumed; whom somebody else has in hand is found next time.
SELECT e.id, e.journey_id, e.version_id, e.profile_id, e.step, e.state, e.due_at, e.awaits, e.entered_at,
       e.step_entered_at, e.context, e.passed, e.attempts, e.converted_at
FROM journeys_enrollment e
WHERE e.journey_id = %(journey)s AND e.state = 'active' AND e.due_at <= %(resumed)s
LIMIT %(limit)s
FOR UPDATE OF e SKIP LOCKED;

-- name: anybody_missed
-- Whether there is anybody still.
SELECT EXISTS (
    SELECT FROM journeys_enrollment e
    WHERE e.journey_id = %(journey)s AND e.state = 'active' AND e.due_at <= %(resumed)s
);

-- name: keep
-- Keeps who came while a journey was paused, each by its key.
INSERT INTO journeys_queuedentry (journey_id, profile_id, key, at, reason, context)
SELECT %(journey)s, u.profile, u.key, u.at, u.reason, u.context
FROM jsonb_to_recordset(%(rows)s::jsonb) AS u(profile uuid, key text, at timestamptz, reason text, context jsonb)
ON CONFLICT DO NOTHING;

-- name: let_in
-- Says when those who came meanwhile enter: as they came, at the ramp.
UPDATE journeys_queuedentry q
SET due_at = %(now)s::timestamptz + make_interval(mins => ((late.place - 1) / %(ramp)s)::int)
FROM (
    SELECT id, row_number() OVER (ORDER BY at, id) AS place FROM journeys_queuedentry WHERE journey_id = %(journey)s
) AS late
WHERE late.id = q.id;

-- name: turn_away
-- Remembers of those who came meanwhile that they do not enter.
INSERT INTO journeys_refusal AS r (journey_id, profile_id, cause, at, entry_key, times, reason)
SELECT q.journey_id, q.profile_id, 'not_live', %(now)s, left(min(q.key), 250), count(*), %(reason)s
FROM journeys_queuedentry q
WHERE q.journey_id = %(journey)s
GROUP BY q.journey_id, q.profile_id
ON CONFLICT (journey_id, profile_id, cause) DO UPDATE
SET at = excluded.at, entry_key = excluded.entry_key, times = r.times + excluded.times, reason = excluded.reason;

-- name: forget
-- Takes those away.
DELETE FROM journeys_queuedentry WHERE journey_id = %(journey)s;
