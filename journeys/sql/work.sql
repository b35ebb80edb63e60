-- name: team
-- The team, held so that it stays until what it is given is written.
SELECT id FROM staff_team WHERE slug = %(team)s FOR KEY SHARE;

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
