-- name: prepare
-- Makes the rows of lanes that have a pace, where they are missing.
INSERT INTO messaging_lane (channel, place, urgent, sent, failures, times_shut, reason)
SELECT channel, place, false, 0, 0, 0, '' FROM unnest(%(channels)s::text[], %(places)s::text[]) AS v(channel, place)
ON CONFLICT (channel, place, urgent) DO NOTHING;

-- name: keep_pace
-- Writes when each lane is free again, the last turn that it gave, and how many went on its day.
UPDATE messaging_lane AS l SET free_at = v.free_at, turn_at = v.turn_at, day = v.day, sent = v.sent
FROM jsonb_to_recordset(%(lanes)s::jsonb) AS v(id bigint, free_at timestamptz, turn_at timestamptz, day date, sent int)
WHERE l.id = v.id;

-- name: try_again
-- Takes the one try that a shut lane has when its time is up; whoever asks after us finds it shut for a while.
UPDATE messaging_lane SET shut_until = %(until)s
WHERE id = %(id)s AND shut_until <= %(now)s
RETURNING id;

-- name: trouble
-- Counts failures in a row; from so many on the lane is shut, for longer each time. What comes while it is shut, but for its one try, adds nothing.
INSERT INTO messaging_lane AS l (channel, place, urgent, sent, failures, times_shut, shut_until, reason)
SELECT v.channel, v.place, v.urgent, 0, v.failures, (v.failures >= %(enough)s)::int,
    CASE WHEN v.failures >= %(enough)s THEN %(now)s::timestamptz + %(first)s::interval END, v.reason
FROM jsonb_to_recordset(%(troubles)s::jsonb) AS v(channel text, place text, urgent boolean, failures int, reason text)
ORDER BY v.channel, v.place, v.urgent
ON CONFLICT (channel, place, urgent) DO UPDATE SET
    failures = l.failures + excluded.failures,
    reason = excluded.reason,
    times_shut = l.times_shut + (
        l.failures + excluded.failures >= %(enough)s
        AND coalesce(l.shut_until <= %(now)s::timestamptz + %(a_try)s::interval, true)
    )::int,
    shut_until = CASE
        WHEN l.failures + excluded.failures >= %(enough)s
            AND coalesce(l.shut_until <= %(now)s::timestamptz + %(a_try)s::interval, true)
        THEN %(now)s::timestamptz + least(%(first)s::interval * power(2, least(l.times_shut, 20)), %(longest)s::interval)
        ELSE l.shut_until END;

-- name: well
-- Opens lanes in which something was taken, and forgets what went wrong in them before.
UPDATE messaging_lane AS l SET failures = 0, times_shut = 0, shut_until = NULL, reason = ''
FROM unnest(%(channels)s::text[], %(places)s::text[], %(urgent)s::boolean[]) AS v(channel, place, urgent)
WHERE l.channel = v.channel AND l.place = v.place AND l.urgent = v.urgent AND l.failures > 0;

-- name: release
-- Has what waits for its turn in a channel looked at again now. What somebody is looking at just now is left to them.
UPDATE messaging_message SET due_at = %(now)s, guardrail = ''
WHERE id IN (
    SELECT id FROM messaging_message
    WHERE state IN ('queued', 'deferred') AND guardrail = 'throughput' AND channel = %(channel)s AND due_at > %(now)s
    FOR UPDATE SKIP LOCKED
);
