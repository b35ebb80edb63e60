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
SELECT s.profile_id, s.topic, s.channel, s.state, s.record, s.since, coalesce(r.occurred_at, s.since), s.expires_at
FROM consent_consentstate s
LEFT JOIN consent_consentrecord r ON r.id = s.record
WHERE s.profile_id = ANY(%(profiles)s);

-- name: states
-- The state that counts for each (profile, topic, channel): the choice's own, else that of a wider refusal. A yes that
-- is over has run out at that moment, whether or not anybody has written it down yet.
SELECT DISTINCT ON (k.profile, k.topic, k.channel)
    k.topic, k.channel, s.id, s.profile_id, s.topic, s.channel,
    CASE WHEN s.state = 'granted' AND s.expires_at <= %(now)s THEN 'expired' ELSE s.state END,
    s.record,
    CASE WHEN s.state = 'granted' AND s.expires_at <= %(now)s THEN s.expires_at ELSE s.since END,
    s.expires_at
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

-- name: have_run_out
-- People with a yes that is over and not written down as such, some at a time.
SELECT DISTINCT profile_id FROM (
    SELECT profile_id FROM consent_consentstate
    WHERE state = 'granted' AND expires_at <= %(now)s
    ORDER BY expires_at LIMIT %(limit)s
) AS due;

-- name: heads_as_of
-- The last link of every chain among what was written down until a moment, in the order of their subjects.
SELECT DISTINCT ON (subject_ref) subject_ref, seq, hash FROM consent_consentrecord
WHERE recorded_at <= %(covers)s
ORDER BY subject_ref, seq DESC;
