-- name: heads
-- The last link of each subject's chain.
SELECT s.ref, r.seq, r.hash
FROM unnest(%(refs)s::uuid[]) AS s(ref)
CROSS JOIN LATERAL (
    SELECT seq, hash FROM consent_consentrecord WHERE subject_ref = s.ref ORDER BY seq DESC LIMIT 1
) AS r;

-- name: standing
-- What stands for each of these people, with the time of the decision that it stands on.
-- LEFT JOIN: a refusal still stands where somebody has tampered with the ledger.
SELECT s.profile_id, s.topic, s.channel, s.state, s.record, s.since, coalesce(r.occurred_at, s.since)
FROM consent_consentstate s
LEFT JOIN consent_consentrecord r ON r.id = s.record
WHERE s.profile_id = ANY(%(profiles)s);

-- name: states
-- The state that counts for each (profile, topic, channel): the choice's own, else that of a wider refusal.
SELECT DISTINCT ON (k.profile, k.topic, k.channel)
    k.topic, k.channel, s.id, s.profile_id, s.topic, s.channel, s.state, s.record, s.since
FROM unnest(%(profiles)s::uuid[], %(topics)s::text[], %(channels)s::text[]) AS k(profile, topic, channel)
JOIN consent_consentstate s ON s.profile_id = k.profile
    AND (
        (s.topic = k.topic AND s.channel = k.channel)
        OR (
            s.topic = '*' AND s.channel IN (k.channel, '*') AND s.state = 'denied'
            AND NOT EXISTS (SELECT FROM consent_topic t WHERE t.slug = k.topic AND t.transactional)
        )
    )
ORDER BY k.profile, k.topic, k.channel, s.topic = '*', s.channel = '*';
