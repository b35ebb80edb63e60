-- name: team
-- The team, held so that it stays until what it is given is written.
SELECT id FROM staff_team WHERE slug = %(team)s FOR KEY SHARE;

-- name: give_message
-- A message that went to a team, as a task; once, and not of somebody who was erased. It ends with the enrollment that sent it.
INSERT INTO journeys_task (
    id, enrollment_id, message, step, profile_id, team_id, title, details, outcomes, state, outcome, note, created_at, ended_by
)
SELECT gen_random_uuid(), e.id, m.id, m.step, m.profile_id, t.id, %(title)s, %(details)s, '[]', 'open', '', '', %(now)s, ''
FROM messaging_message m
JOIN staff_team t ON t.slug = %(team)s
LEFT JOIN journeys_enrollment e ON e.id = m.enrollment
WHERE m.id = %(message)s AND m.profile_id IS NOT NULL
ON CONFLICT DO NOTHING;

-- name: give
-- Tasks for a team; one that it has for the same step of the same enrollment stays as it is.
INSERT INTO journeys_task (
    id, enrollment_id, step, profile_id, team_id, title, outcomes, state, outcome, note, created_at, due_at, ended_by
)
SELECT gen_random_uuid(), u.enrollment, u.step, u.profile, t.id, u.title, %(outcomes)s::jsonb, 'open', '', '', %(now)s,
       u.due, ''
FROM jsonb_to_recordset(%(rows)s::jsonb) AS u(enrollment uuid, step text, profile uuid, title text, due timestamptz)
CROSS JOIN staff_team t
WHERE t.slug = %(team)s
ON CONFLICT (enrollment_id, step) DO NOTHING;
