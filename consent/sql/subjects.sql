-- name: hold
-- The people, before their subjects: what refers to a person holds their row, and a merge holds it before it comes here.
SELECT id FROM profiles_profile WHERE id = ANY(%(profiles)s) ORDER BY id FOR KEY SHARE;

-- name: ensure
-- Gives each person without a current subject one. In order of id, as all who lock subjects do, so that none wait in a circle.
INSERT INTO consent_subject (ref, profile_id, began_with, current, created_at)
SELECT gen_random_uuid(), p.id, p.id, true, %(now)s
FROM profiles_profile p
WHERE p.id = ANY(%(profiles)s)
  AND NOT EXISTS (SELECT FROM consent_subject s WHERE s.profile_id = p.id AND s.current)
ORDER BY p.id
-- Somebody else made it meanwhile: that one is the one.
ON CONFLICT (profile_id) WHERE current DO NOTHING;

-- name: lock_to_write
-- The current subjects, held alone: one writer at a time adds to a person's chain.
SELECT profile_id, ref FROM consent_subject
WHERE profile_id = ANY(%(profiles)s) AND current
ORDER BY profile_id
FOR NO KEY UPDATE;

-- name: lock_to_read
-- The current subjects, held with others who read: whoever writes waits for us.
SELECT profile_id, ref FROM consent_subject
WHERE profile_id = ANY(%(profiles)s) AND current
ORDER BY profile_id
FOR SHARE;
