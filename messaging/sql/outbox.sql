-- name: enqueue
-- Queues what is asked for; what was queued before under the same key stays as it is. In order of key, so that two who queue the same wait in no circle.
INSERT INTO messaging_message (
    id, idempotency_key, profile_id, channel, topic_id, template_id, journey, enrollment, step, variant, context,
    state, reason, evidence, guardrail, address, sender, message_id, subject, html, text, provider_id,
    attempts, claims, fence, urgent, priority, due_at, expires_at, queued_at
)
SELECT
    r.id, r.key, r.profile_id, r.channel, r.topic_id, r.template_id, r.journey, r.enrollment, r.step, r.variant,
    r.context, 'queued', '', '{}', '', '', '', '', '', '', '', '', 0, 0, 0, r.urgent, r.priority, %(now)s, r.expires_at, %(now)s
FROM jsonb_to_recordset(%(requests)s::jsonb) AS r(
    id uuid, key text, profile_id uuid, channel text, topic_id bigint, template_id bigint, journey text,
    enrollment uuid, step text, variant text, context jsonb, urgent boolean, priority smallint, expires_at timestamptz
)
ORDER BY r.key
ON CONFLICT (idempotency_key) DO NOTHING;

-- name: enqueue_for
-- Queues one message for many: what differs comes in columns. In order of key, as above.
INSERT INTO messaging_message (
    id, idempotency_key, profile_id, channel, topic_id, template_id, journey, enrollment, step, variant, context,
    state, reason, evidence, guardrail, address, sender, message_id, subject, html, text, provider_id,
    attempts, claims, fence, urgent, priority, due_at, expires_at, queued_at
)
SELECT
    gen_random_uuid(), r.key, r.profile, %(channel)s, %(topic)s, %(template)s, %(journey)s, r.enrollment, %(step)s,
    coalesce(r.variant, ''), coalesce(r.context, '{}'), 'queued', '', '{}', '', '', '', '', '', '', '', '', 0, 0, 0,
    %(urgent)s, %(priority)s, %(now)s, %(expires)s, %(now)s
FROM ROWS FROM (
    unnest(%(profiles)s::uuid[]), unnest(%(enrollments)s::uuid[]), jsonb_array_elements_text(%(keys)s::jsonb),
    jsonb_array_elements_text(%(variants)s::jsonb), jsonb_array_elements(%(contexts)s::jsonb)
) AS r(profile, enrollment, key, variant, context)
ORDER BY r.key
ON CONFLICT (idempotency_key) DO NOTHING;

-- name: queued_as
-- Under which id each key is queued.
SELECT idempotency_key, id FROM messaging_message WHERE idempotency_key = ANY(%(keys)s);

-- name: cancel
-- Stops what was queued for these enrollments and is not being sent. Dispatch may be about to send one: whoever comes to the row first decides.
UPDATE messaging_message
SET state = 'suppressed', guardrail = 'wanted', reason = %(reason)s, evidence = '{}', ended_at = %(now)s, fence = fence + 1
WHERE enrollment = ANY(%(enrollments)s) AND state IN ('queued', 'deferred');

-- name: claim
-- Takes up what is due in a lane, the longest due first, for a lease: should the worker die, it is due again at its end. What others hold is theirs. Found once, and not anew for each row that is looked at.
WITH due AS MATERIALIZED (
    SELECT id FROM messaging_message
    WHERE state IN ('queued', 'deferred') AND urgent = %(urgent)s AND due_at <= %(now)s AND claims = 0
      AND NOT EXISTS (SELECT FROM foundation_standstill)
    ORDER BY due_at LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE messaging_message AS m
SET fence = m.fence + 1, attempts = m.attempts + 1, claims = m.claims + 1, due_at = %(until)s
FROM due
WHERE m.id = due.id
RETURNING m.id, m.fence, m.profile_id, m.topic_id, m.channel;

-- name: claim_suspect
-- Takes up one that was taken up before and of which nothing came: alone, so that if it kills its worker, it harms no other.
WITH due AS MATERIALIZED (
    SELECT id FROM messaging_message
    WHERE state IN ('queued', 'deferred') AND due_at <= %(now)s AND claims > 0 AND urgent IN (true, false)
      AND NOT EXISTS (SELECT FROM foundation_standstill)
    ORDER BY due_at LIMIT 1
    FOR UPDATE SKIP LOCKED
)
UPDATE messaging_message AS m
SET fence = m.fence + 1, attempts = m.attempts + 1, claims = m.claims + 1, due_at = %(until)s
FROM due
WHERE m.id = due.id
RETURNING m.id, m.fence, m.profile_id, m.topic_id, m.channel;

-- name: intend
-- Commits to sending: from here on it is being sent, whatever happens to us. Only what is still ours, and still wanted by whoever queued it.
UPDATE messaging_message AS m
SET state = 'sending', sending_at = %(now)s, version_id = v.version, address = v.address, sender = v.sender,
    message_id = v.message_id, subject = v.subject, html = v.html, text = v.text,
    reason = '', guardrail = '', evidence = '{}'
FROM jsonb_to_recordset(%(letters)s::jsonb) AS v(
    id uuid, fence int, version bigint, address text, sender text, message_id text, subject text, html text, text text
)
WHERE m.id = v.id AND m.fence = v.fence AND m.state IN ('queued', 'deferred')
RETURNING m.id;

-- name: settle
-- Writes what became of messages, of those that are still in the hands of whoever says so.
UPDATE messaging_message AS m
SET state = v.state, reason = v.reason, guardrail = v.guardrail, evidence = v.evidence,
    due_at = coalesce(v.due_at, m.due_at), attempts = greatest(m.attempts - v.unspent, 0), claims = v.claims,
    provider_id = CASE WHEN v.state = 'sent' THEN v.provider_id ELSE m.provider_id END,
    sent_at = CASE WHEN v.state = 'sent' THEN %(now)s ELSE m.sent_at END,
    ended_at = CASE WHEN v.state IN ('queued', 'deferred', 'sent') THEN NULL ELSE %(now)s::timestamptz END
FROM jsonb_to_recordset(%(settled)s::jsonb) AS v(
    id uuid, fence int, state text, reason text, guardrail text, evidence jsonb, due_at timestamptz, unspent int,
    claims int, provider_id text
)
WHERE m.id = v.id AND m.fence = v.fence AND m.state = ANY(%(from)s)
RETURNING m.id;

-- name: dead
-- What has been in sending for longer than any living worker takes, held: its worker may yet wake up, and its word no longer counts.
WITH due AS MATERIALIZED (
    SELECT id FROM messaging_message
    WHERE state = 'sending' AND sending_at <= %(before)s
    ORDER BY sending_at LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE messaging_message AS m
SET fence = m.fence + 1
FROM due
WHERE m.id = due.id
RETURNING m.id, m.fence;

-- name: absorb
-- Gives the messages of those who became part of another to the survivor.
UPDATE messaging_message AS m SET profile_id = v.survivor, came_by = m.came_by || v.absorbed
FROM unnest(%(absorbed)s::uuid[], %(survivors)s::uuid[]) AS v(absorbed, survivor)
WHERE m.profile_id = v.absorbed;

-- name: part
-- Gives somebody who was merged by mistake their messages back, with those that had come to them by merges before.
UPDATE messaging_message SET profile_id = %(absorbed)s,
    came_by = nullif(came_by[:array_position(came_by, %(absorbed)s::uuid) - 1], '{}')
WHERE profile_id = %(survivor)s AND %(absorbed)s::uuid = ANY(came_by);

-- name: erase
-- Leaves of a person's messages that they were, and nothing of whom and what they were about. What was not sent yet never will be.
UPDATE messaging_message
SET profile_id = NULL, came_by = NULL, address = '', subject = '', html = '', text = '', context = '{}', evidence = '{}', provider_id = '',
    reason = 'The person was erased.',
    guardrail = CASE WHEN state IN ('queued', 'deferred') THEN 'address' ELSE guardrail END,
    fence = CASE WHEN state IN ('queued', 'deferred') THEN fence + 1 ELSE fence END,
    ended_at = CASE WHEN state IN ('queued', 'deferred') THEN %(now)s ELSE ended_at END,
    state = CASE WHEN state IN ('queued', 'deferred') THEN 'suppressed' ELSE state END
WHERE profile_id = %(profile)s;
