-- name: zones
-- The time zones in which the people of a segment are, each once; empty where nothing is known.
SELECT DISTINCT coalesce(nullif(w.time_zone, ''), nullif(p.timezone, ''), '')
FROM segments_membership AS m
JOIN profiles_profile AS p ON p.id = m.profile_id
LEFT JOIN consent_preference AS w ON w.profile_id = p.id
WHERE m.segment_id = %(segment)s;

-- name: fix
-- Fixes the audience: everybody who is in the segment at this moment, with when their message is due where they are. One statement, so that it is one moment for all.
INSERT INTO messaging_recipient (broadcast_id, profile_id, due_at)
SELECT %(broadcast)s, p.id, coalesce(z.at, %(at)s)
FROM segments_membership AS m
JOIN profiles_profile AS p ON p.id = m.profile_id
LEFT JOIN consent_preference AS w ON w.profile_id = p.id
LEFT JOIN jsonb_to_recordset(%(zones)s::jsonb) AS z(name text, at timestamptz)
    ON z.name = coalesce(nullif(w.time_zone, ''), nullif(p.timezone, ''), '')
WHERE m.segment_id = %(segment)s
ORDER BY p.id
ON CONFLICT (broadcast_id, profile_id) DO NOTHING;

-- name: hold
-- Puts off what a broadcast has queued and nobody has sent, until it goes on: whoever has it in hand just now lets go of it.
UPDATE messaging_message
SET state = 'deferred', guardrail = 'broadcast', reason = %(reason)s, evidence = '{}', due_at = %(until)s, fence = fence + 1, claims = 0
WHERE idempotency_key LIKE %(keys)s AND state IN ('queued', 'deferred');

-- name: let_go
-- Has what was put off looked at again at once. The time that it was put off for makes nothing stale.
UPDATE messaging_message
SET state = 'queued', guardrail = '', reason = '', due_at = %(now)s, expires_at = expires_at + %(waited)s
WHERE idempotency_key LIKE %(keys)s AND state = 'deferred' AND guardrail = 'broadcast';

-- name: stop
-- Stops what a broadcast has queued and nobody has sent.
UPDATE messaging_message
SET state = 'suppressed', guardrail = 'broadcast', reason = %(reason)s, evidence = '{}', ended_at = %(now)s, fence = fence + 1
WHERE idempotency_key LIKE %(keys)s AND state IN ('queued', 'deferred');

-- name: progress
-- How many messages of a broadcast are in which state, and what holds them back.
SELECT state, guardrail, count(*) FROM messaging_message
WHERE idempotency_key LIKE %(keys)s
GROUP BY state, guardrail
ORDER BY count(*) DESC, state, guardrail;

-- name: waits
-- Whether anything of a broadcast is still to be sent.
SELECT EXISTS (SELECT 1 FROM messaging_recipient WHERE broadcast_id = %(broadcast)s AND queued_at IS NULL)
    OR EXISTS (SELECT 1 FROM messaging_message WHERE idempotency_key LIKE %(keys)s AND state IN ('queued', 'deferred', 'sending'));

-- name: absorb
-- Gives the survivors the places of those who became part of them. Whoever has one already keeps it, and got the message if either did.
INSERT INTO messaging_recipient AS r (broadcast_id, profile_id, due_at, queued_at)
SELECT x.broadcast_id, v.survivor, min(x.due_at), min(x.queued_at)
FROM unnest(%(absorbed)s::uuid[], %(survivors)s::uuid[]) AS v(absorbed, survivor)
JOIN messaging_recipient AS x ON x.profile_id = v.absorbed
GROUP BY x.broadcast_id, v.survivor
ORDER BY x.broadcast_id, v.survivor
ON CONFLICT (broadcast_id, profile_id) DO UPDATE
SET queued_at = least(r.queued_at, excluded.queued_at);
