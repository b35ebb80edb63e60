-- name: digests
-- What tells one published version from any other, so that a program read once may be kept.
SELECT id, md5(document::text || coalesce(program::text, ''))
FROM journeys_journeyversion
WHERE id = ANY(%(versions)s) AND published_at IS NOT NULL;

-- name: waiting_to_go_on
-- How many are due in each live journey, counted no further than anybody could take.
SELECT j.id, (
    SELECT count(*) FROM (
        SELECT FROM journeys_enrollment e
        WHERE e.journey_id = j.id AND e.state = 'active' AND e.due_at <= %(now)s
        LIMIT %(limit)s
    ) AS due
)
FROM journeys_journey j
WHERE j.status = 'live' AND j.carrying IS NULL;

-- name: in_hand
-- Those of an attempt who are due still, held.
SELECT e.id, e.journey_id, e.version_id, e.profile_id, e.step, e.state, e.due_at, e.awaits, e.entered_at,
       e.step_entered_at, e.context, e.passed, e.attempts, e.converted_at
FROM journeys_attempt a
CROSS JOIN LATERAL unnest(a.enrollments) AS i(id)
JOIN journeys_enrollment e ON e.id = i.id
JOIN journeys_journey j ON j.id = e.journey_id
WHERE a.id = %(attempt)s AND e.state = 'active' AND e.due_at <= %(now)s AND j.status = 'live'
  AND j.carrying IS NULL
ORDER BY e.due_at
FOR UPDATE OF e SKIP LOCKED;

-- name: claim_stopped
-- Takes those who are still on a journey that was stopped.
SELECT e.id, e.journey_id, e.version_id, e.profile_id, e.step, e.state, e.due_at, e.awaits, e.entered_at,
       e.step_entered_at, e.context, e.passed, e.attempts, e.converted_at
FROM journeys_enrollment e
JOIN journeys_journey j ON j.id = e.journey_id
WHERE j.status = 'stopped' AND e.state = 'active'
ORDER BY e.due_at
LIMIT %(limit)s
FOR UPDATE OF e SKIP LOCKED;

-- name: lock
-- The enrollments of these people that are on the way, held. Whoever moves one of them now commits first: in order of
-- id, as all who hold several and wait for more do.
SELECT e.id, e.journey_id, e.version_id, e.profile_id, e.step, e.state, e.due_at, e.awaits, e.entered_at,
       e.step_entered_at, e.context, e.passed, e.attempts, e.converted_at
FROM journeys_enrollment e
WHERE e.profile_id = ANY(%(profiles)s) AND e.state = 'active'
  AND (%(journey)s::bigint IS NULL OR e.journey_id = %(journey)s::bigint)
ORDER BY e.id
FOR UPDATE OF e;

-- name: lock_these
-- These enrollments of a journey, held in the order in which the engine holds them: those on the way first, by id.
SELECT e.id, e.journey_id, e.version_id, e.profile_id, e.step, e.state, e.due_at, e.awaits, e.entered_at,
       e.step_entered_at, e.context, e.passed, e.attempts, e.converted_at
FROM journeys_enrollment e
WHERE e.id = ANY(%(enrollments)s::uuid[]) AND e.journey_id = %(journey)s
ORDER BY e.state <> 'active', e.id
FOR UPDATE OF e;

-- name: may_still_convert
-- Enrollments of these people that have ended, without the goal reached, and whose window was open at some time since.
SELECT e.id, e.journey_id, e.version_id, e.profile_id, e.step, e.state, e.due_at, e.awaits, e.entered_at,
       e.step_entered_at, e.context, e.passed, e.attempts, e.converted_at
FROM journeys_enrollment e
JOIN journeys_journeyversion v ON v.id = e.version_id
WHERE e.profile_id = ANY(%(profiles)s) AND e.state <> 'active' AND e.converted_at IS NULL
  AND (%(journey)s::bigint IS NULL OR e.journey_id = %(journey)s::bigint)
  AND v.program @> '{"has_goal": true}'
  AND (
      v.program->>'goal_within' IS NULL
      OR e.entered_at + make_interval(secs => (v.program->>'goal_within')::float) >= %(since)s
  )
ORDER BY e.id
FOR UPDATE OF e;

-- name: enter
-- Enrolls these people at the first step; returns those who were not in by the same key, nor on the way already.
INSERT INTO journeys_enrollment (
    id, journey_id, version_id, profile_id, step, state, due_at, awaits, entered_at, step_entered_at, entry_key,
    exclusive, context, passed, reason, ended_by, attempts
)
SELECT u.id, %(journey)s, %(version)s, u.profile, %(step)s, 'active', %(now)s, '{}', u.entered, %(now)s,
       u.key, %(exclusive)s, u.context, '{}', '', '', 0
FROM jsonb_to_recordset(%(rows)s::jsonb) AS u(id uuid, profile uuid, entered timestamptz, key text, context jsonb)
ON CONFLICT DO NOTHING
RETURNING id;

-- name: past
-- What these people have done in a journey: on the way now?, when they last entered, by which of these keys.
SELECT e.profile_id, bool_or(e.state = 'active'), max(e.entered_at),
       coalesce(array_agg(e.entry_key) FILTER (WHERE e.entry_key = ANY(%(keys)s)), '{}')
FROM journeys_enrollment e
WHERE e.journey_id = %(journey)s AND e.profile_id = ANY(%(profiles)s)
GROUP BY e.profile_id;

-- name: move
-- Writes where these people stand now; those of whom all of it is the same come as one group.
UPDATE journeys_enrollment e
SET step = u.step, state = u.state, due_at = u.due, step_entered_at = u.since, attempts = u.attempts,
    awaits = CASE WHEN u.awaits IS NULL THEN '{}' ELSE ARRAY(SELECT jsonb_array_elements_text(u.awaits)) END,
    context = CASE WHEN u.learnt IS NULL THEN e.context ELSE e.context || u.learnt END, reason = u.reason,
    ended_at = u.ended, ended_by = u.ended_by, converted_at = u.converted
FROM jsonb_to_recordset(%(groups)s::jsonb) AS u(
    ids uuid[], step text, state text, due timestamptz, since timestamptz, attempts int, awaits jsonb, learnt jsonb,
    reason text, ended timestamptz, ended_by text, converted timestamptz
)
CROSS JOIN LATERAL unnest(u.ids) AS i(id)
WHERE e.id = i.id;

-- name: convert
-- Marks ended enrollments whose goal was reached after all.
UPDATE journeys_enrollment e SET converted_at = u.at
FROM unnest(%(ids)s::uuid[], %(moments)s::timestamptz[]) AS u(id, at)
WHERE e.id = u.id AND e.converted_at IS NULL;

-- name: tell
-- Adds to the story of each, in order; what is the same for many comes as one line.
INSERT INTO journeys_transition (enrollment_id, version_id, step, kind, answer, arm, at, reason)
SELECT i.id, u.version, u.step, u.kind, u.answer, u.arm, %(now)s, u.reason
FROM jsonb_to_recordset(%(lines)s::jsonb) AS u(
    ids uuid[], version bigint, step text, kind text, answer text, arm text, reason text
)
CROSS JOIN LATERAL unnest(u.ids) AS i(id);

-- name: refuse
-- Remembers who did not enter, and why: the same cause again is counted, since an event a minute would add a row a minute.
INSERT INTO journeys_refusal AS r (journey_id, profile_id, cause, at, entry_key, times, reason)
SELECT u.*
FROM unnest(
    %(journeys)s::bigint[], %(profiles)s::uuid[], %(causes)s::text[], %(moments)s::timestamptz[], %(keys)s::text[],
    %(times)s::int[], %(reasons)s::text[]
) AS u
ON CONFLICT (journey_id, profile_id, cause) DO UPDATE
SET at = excluded.at, entry_key = excluded.entry_key, times = r.times + excluded.times, reason = excluded.reason;

-- name: members
-- The next people of these segments, in order of id, who were in before a moment; by the segment that they came into first.
SELECT DISTINCT ON (m.profile_id) m.profile_id, s.slug, m.entered_at
FROM segments_membership m
JOIN segments_segment s ON s.id = m.segment_id
WHERE s.slug = ANY(%(slugs)s::text[]) AND m.entered_at <= %(since)s
  AND (%(after)s::uuid IS NULL OR m.profile_id > %(after)s::uuid)
ORDER BY m.profile_id, m.entered_at, s.slug
LIMIT %(limit)s;

-- name: assigned
-- The arms of a split that these people have been given before.
SELECT profile_id, arm FROM journeys_assignment
WHERE journey = %(journey)s AND step = %(step)s AND profile_id = ANY(%(profiles)s::uuid[]);

-- name: assign
-- Keeps the arms that were drawn; in order of person, so that two who draw for the same wait in no circle.
INSERT INTO journeys_assignment (journey, step, profile_id, arm, at)
SELECT %(journey)s, %(step)s, a.profile, a.arm, %(at)s
FROM ROWS FROM (unnest(%(profiles)s::uuid[]), jsonb_array_elements_text(%(arms)s::jsonb)) AS a(profile, arm)
ORDER BY a.profile
ON CONFLICT DO NOTHING;

-- name: last_done
-- When each of these last did something of these names, after they entered and up to a moment.
SELECT u.id, max(e.occurred_at)
FROM unnest(%(enrollments)s::uuid[], %(profiles)s::uuid[], %(since)s::timestamptz[]) AS u(id, profile_id, since)
JOIN profiles_event e ON e.profile_id = u.profile_id AND e.name_id = ANY(%(names)s::int[]) AND e.occurred_at > u.since
WHERE e.occurred_at <= %(at)s
GROUP BY u.id;
