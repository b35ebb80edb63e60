-- name: write_appointments
-- When these people are to enter. What is known already was read later than this, and stays.
INSERT INTO journeys_appointment (round_id, profile_id, at)
SELECT %(round)s, u.profile, u.at FROM unnest(%(profiles)s::uuid[], %(moments)s::timestamptz[]) AS u(profile, at)
ON CONFLICT (round_id, profile_id) DO NOTHING;

-- name: change_appointments
-- The same for those of whom something is new: what is said now is how it is.
INSERT INTO journeys_appointment (round_id, profile_id, at)
SELECT %(round)s, u.profile, u.at FROM unnest(%(profiles)s::uuid[], %(moments)s::timestamptz[]) AS u(profile, at)
ON CONFLICT (round_id, profile_id) DO UPDATE SET at = excluded.at WHERE journeys_appointment.at <> excluded.at;

-- name: drop_appointments
-- Of these people no date is known any more, or it has passed.
DELETE FROM journeys_appointment WHERE round_id = %(round)s AND profile_id = ANY(%(profiles)s::uuid[]);

-- name: due_appointments
-- Those whose time has come, the longest overdue first. Other workers hold the ones skipped.
SELECT a.round_id, a.profile_id, a.at
FROM journeys_appointment a
WHERE a.at <= %(now)s
ORDER BY a.at
LIMIT %(limit)s
FOR NO KEY UPDATE SKIP LOCKED;

-- name: in_segment
-- The next people of a segment, in order of id, who were in it at a moment.
SELECT m.profile_id
FROM segments_membership m
JOIN segments_segment s ON s.id = m.segment_id
WHERE s.slug = %(slug)s AND m.entered_at <= %(at)s AND (%(after)s::uuid IS NULL OR m.profile_id > %(after)s::uuid)
ORDER BY m.profile_id
LIMIT %(limit)s;
