-- name: over_time
-- Decisions of each stretch of time since a moment: yes, and no or ran out; of one topic and source, or of all ("").
SELECT date_trunc(%(unit)s, r.recorded_at AT TIME ZONE %(zone)s)::date AS stretch,
    count(*) FILTER (WHERE r.state = 'granted'), count(*) FILTER (WHERE r.state <> 'granted')
FROM consent_consentrecord r
WHERE r.recorded_at >= %(since)s AND r.recorded_at <= %(until)s
  AND (%(topic)s = '' OR r.topic = %(topic)s) AND (%(source)s = '' OR r.source = %(source)s)
GROUP BY 1 ORDER BY 1;

-- name: by_source
-- How the decisions since a moment came about: topic, source, yes, and no or ran out.
SELECT r.topic, r.source, count(*) FILTER (WHERE r.state = 'granted'), count(*) FILTER (WHERE r.state <> 'granted')
FROM consent_consentrecord r
WHERE r.recorded_at >= %(since)s AND r.recorded_at <= %(until)s AND (%(topic)s = '' OR r.topic = %(topic)s)
GROUP BY 1, 2 ORDER BY 3 DESC, 4 DESC, 1, 2
LIMIT 200;
