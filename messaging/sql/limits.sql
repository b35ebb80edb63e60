-- name: take_turns
-- Holds these people or companies, in order of id, until the transaction ends: of two who count what the same person got, the second counts what the first committed.
SELECT pg_advisory_xact_lock(uuid_hash_extended(id, %(seed)s)) FROM unnest(%(ids)s::uuid[]) AS held(id);

-- name: sent_to_people
-- What we committed to send them since then and may have gone out, but for what they need anyway: each one's together, by their place in the list, the oldest first. What is tried again keeps its place.
SELECT held.place::int, m.id::text, m.channel, m.topic_id, m.template_id, (extract(epoch FROM m.sending_at) * 1000000)::bigint, ''
FROM unnest(%(ids)s::uuid[]) WITH ORDINALITY AS held(id, place)
JOIN messaging_message AS m ON m.profile_id = held.id AND m.sending_at > %(since)s
WHERE m.state NOT IN ('suppressed', 'failed', 'expired')
    AND m.topic_id NOT IN (SELECT id FROM consent_topic WHERE transactional)
ORDER BY held.place, m.sending_at, m.id;

-- name: sent_to_companies
-- The same of all the people of these companies.
SELECT held.place::int, m.id::text, m.channel, m.topic_id, m.template_id, (extract(epoch FROM m.sending_at) * 1000000)::bigint, ''
FROM unnest(%(ids)s::uuid[]) WITH ORDINALITY AS held(id, place)
JOIN profiles_profile AS p ON p.account_id = held.id
JOIN messaging_message AS m ON m.profile_id = p.id AND m.sending_at > %(since)s
WHERE m.state NOT IN ('suppressed', 'failed', 'expired')
    AND m.topic_id NOT IN (SELECT id FROM consent_topic WHERE transactional)
ORDER BY held.place, m.sending_at, m.id;

-- name: release
-- Has what these guardrails put off looked at again now. What somebody is looking at just now is left to them.
UPDATE messaging_message SET due_at = %(now)s
WHERE id IN (
    SELECT id FROM messaging_message
    WHERE state IN ('queued', 'deferred') AND guardrail = ANY(%(guardrails)s) AND due_at > %(now)s
    FOR UPDATE SKIP LOCKED
);
