-- name: choices
-- What stands for these people, refusals of everything among it; what is over has run out.
SELECT profile_id, topic, channel,
    CASE WHEN state = 'granted' AND expires_at <= %(now)s THEN 'expired' ELSE state END,
    CASE WHEN state = 'granted' AND expires_at <= %(now)s THEN expires_at ELSE since END,
    CASE WHEN state = 'granted' AND expires_at > %(now)s THEN expires_at END
FROM consent_consentstate WHERE profile_id = ANY(%(profiles)s);

-- name: have_history
-- Those of them who have any: a chain, or a wish.
SELECT profile_id FROM consent_subject WHERE profile_id = ANY(%(profiles)s)
UNION
SELECT profile_id FROM consent_preference WHERE profile_id = ANY(%(profiles)s);

-- name: subjects
-- The chains of the absorbed go on to tell what led here, but nothing more is added to them.
UPDATE consent_subject s SET profile_id = m.survivor, current = false
FROM unnest(%(survivors)s::uuid[], %(absorbed)s::uuid[]) AS m(survivor, absorbed)
WHERE s.profile_id = m.absorbed;

-- name: give_back
-- Their own chain goes back to somebody who was merged by mistake.
UPDATE consent_subject SET profile_id = %(absorbed)s, current = true
WHERE profile_id = %(survivor)s AND began_with = %(absorbed)s AND NOT current;

-- name: refused
UPDATE consent_refusedupgrade r SET profile_id = m.survivor
FROM unnest(%(survivors)s::uuid[], %(absorbed)s::uuid[]) AS m(survivor, absorbed)
WHERE r.profile_id = m.absorbed;

-- name: opt_ins
-- What they asked for and have not confirmed. Whoever absorbed them was there before.
UPDATE consent_optin o SET profile_id = m.survivor, made_person = false
FROM unnest(%(survivors)s::uuid[], %(absorbed)s::uuid[]) AS m(survivor, absorbed)
WHERE o.profile_id = m.absorbed;

-- name: limits
-- A limit of either is a limit of the one that lives on.
INSERT INTO consent_limit (profile_id, kind, since)
SELECT m.survivor, l.kind, min(l.since)
FROM unnest(%(survivors)s::uuid[], %(absorbed)s::uuid[]) AS m(survivor, absorbed)
JOIN consent_limit l ON l.profile_id = m.absorbed
GROUP BY m.survivor, l.kind
ON CONFLICT (profile_id, kind) DO NOTHING;

-- name: close_double_requests
-- Of two open requests of one kind, the one that is due first goes on.
UPDATE consent_privacyrequest r SET closed_at = %(now)s, outcome = 'done', answer = 'It goes on in their other request.'
FROM (
    SELECT r.id, row_number() OVER (PARTITION BY coalesce(m.survivor, r.profile_id), r.kind ORDER BY r.due_on, r.id) AS place
    FROM consent_privacyrequest r
    LEFT JOIN unnest(%(survivors)s::uuid[], %(absorbed)s::uuid[]) AS m(survivor, absorbed) ON r.profile_id = m.absorbed
    WHERE r.closed_at IS NULL AND r.profile_id = ANY(%(survivors)s::uuid[] || %(absorbed)s::uuid[])
) AS d
WHERE r.id = d.id AND d.place > 1;

-- name: requests
UPDATE consent_privacyrequest r SET profile_id = m.survivor
FROM unnest(%(survivors)s::uuid[], %(absorbed)s::uuid[]) AS m(survivor, absorbed)
WHERE r.profile_id = m.absorbed;

-- name: preferences
-- The wish for less, the longer pause and the later birth win; all else is the survivor's, and the absorbed's where they wished nothing.
INSERT INTO consent_preference AS mine
    (profile_id, intensity, paused_until, hours_from, hours_to, time_zone, language, born_on, token_epoch)
SELECT DISTINCT ON (m.survivor)
    m.survivor, p.intensity, p.paused_until, p.hours_from, p.hours_to, p.time_zone, p.language, p.born_on, p.token_epoch
FROM unnest(%(survivors)s::uuid[], %(absorbed)s::uuid[]) AS m(survivor, absorbed)
JOIN consent_preference p ON p.profile_id = m.absorbed
ORDER BY m.survivor, p.intensity = 'less' DESC, p.paused_until DESC NULLS LAST, p.profile_id
ON CONFLICT (profile_id) DO UPDATE SET
    intensity = CASE WHEN 'less' IN (mine.intensity, excluded.intensity) THEN 'less' ELSE mine.intensity END,
    paused_until = greatest(mine.paused_until, excluded.paused_until),
    hours_from = CASE WHEN mine.hours_from IS NULL THEN excluded.hours_from ELSE mine.hours_from END,
    hours_to = CASE WHEN mine.hours_from IS NULL THEN excluded.hours_to ELSE mine.hours_to END,
    time_zone = CASE WHEN mine.time_zone = '' THEN excluded.time_zone ELSE mine.time_zone END,
    language = CASE WHEN mine.language = '' THEN excluded.language ELSE mine.language END,
    born_on = greatest(mine.born_on, excluded.born_on),
    token_epoch = greatest(mine.token_epoch, excluded.token_epoch);
