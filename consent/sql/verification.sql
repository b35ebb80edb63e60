-- name: everything
-- The ledger, each chain in its order, and behind each chain what the projection says of that person. One statement,
-- so that all of it is seen at one moment, however many decide meanwhile.
SELECT r.subject_ref, r.seq, s.profile_id, coalesce(s.current, false), r.hash,
    r.id, r.topic, r.channel, r.state, r.source, r.actor, r.wording, r.locale, r.message, r.evidence,
    r.occurred_at, r.recorded_at, r.previous, r.expires_at, r.implied, e.salt, e.data
FROM consent_consentrecord r
LEFT JOIN consent_subject s ON s.ref = r.subject_ref
LEFT JOIN consent_consentevidence e ON e.record = r.id
UNION ALL
SELECT s.ref, NULL, c.profile_id, s.current, NULL,
    c.record, c.topic, c.channel, c.state, NULL, NULL, NULL, NULL, NULL, NULL,
    c.since, NULL, NULL, c.expires_at, NULL, NULL, NULL
FROM consent_consentstate c
LEFT JOIN consent_subject s ON s.profile_id = c.profile_id AND s.current
ORDER BY 1 NULLS FIRST, 2 NULLS LAST;

-- name: decisions
-- What the chains of these subjects say, in order.
SELECT subject_ref, topic, channel, id, state, occurred_at, expires_at, source = 'merge' FROM consent_consentrecord
WHERE subject_ref = ANY(%(refs)s) ORDER BY subject_ref, seq;

-- name: forget
DELETE FROM consent_consentstate WHERE profile_id = ANY(%(profiles)s);
