-- name: forget_evidence
-- Evidence of what is long over: the person's answer is no consent any more, and was last given before then. The ledger stays.
DELETE FROM consent_consentevidence WHERE record IN (
    SELECT e.record FROM consent_consentevidence e
    JOIN consent_consentrecord r ON r.id = e.record
    WHERE e.recorded_at <= %(before)s
      AND NOT EXISTS (
          SELECT FROM consent_consentrecord n
          WHERE n.subject_ref = r.subject_ref AND n.topic = r.topic AND n.channel = r.channel
            AND n.recorded_at > %(before)s
      )
      AND NOT EXISTS (
          SELECT FROM consent_subject s
          JOIN consent_consentstate c ON c.profile_id = s.profile_id
          WHERE s.ref = r.subject_ref AND c.topic = r.topic AND c.channel = r.channel AND c.state = 'granted'
      )
    LIMIT %(limit)s
);

-- name: old_evidence
-- The same, counted so far and no further.
SELECT count(*) FROM (
    SELECT FROM consent_consentevidence e
    JOIN consent_consentrecord r ON r.id = e.record
    WHERE e.recorded_at <= %(before)s
      AND NOT EXISTS (
          SELECT FROM consent_consentrecord n
          WHERE n.subject_ref = r.subject_ref AND n.topic = r.topic AND n.channel = r.channel
            AND n.recorded_at > %(before)s
      )
      AND NOT EXISTS (
          SELECT FROM consent_subject s
          JOIN consent_consentstate c ON c.profile_id = s.profile_id
          WHERE s.ref = r.subject_ref AND c.topic = r.topic AND c.channel = r.channel AND c.state = 'granted'
      )
    LIMIT %(limit)s
) AS old;
