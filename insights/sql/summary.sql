-- name: people
-- People, the anonymous among them, and companies.
SELECT count(*), count(*) FILTER (WHERE external_id IS NULL), (SELECT count(*) FROM profiles_account)
FROM profiles_profile;

-- name: events
-- How many raw events there are of each kind that came from outside.
SELECT t.name, count(*)
FROM profiles_event e JOIN profiles_eventtype t ON t.id = e.name_id
WHERE NOT starts_with(t.name, '$')
GROUP BY t.name ORDER BY count(*) DESC, t.name;

-- name: events_in_rollup
-- The same in all, by the daily counts.
SELECT coalesce(sum(d.n), 0)
FROM profiles_eventday d JOIN profiles_eventtype t ON t.id = d.name_id
WHERE NOT starts_with(t.name, '$');

-- name: rejected
-- Why data was refused.
SELECT reason, count(*) FROM profiles_rejectedevent GROUP BY reason ORDER BY count(*) DESC, reason;

-- name: sizes
-- How many people each segment has.
SELECT segment_id, count(*) FROM segments_membership GROUP BY segment_id;

-- name: journeys
-- What became of those who entered each journey.
SELECT j.name,
       count(e.id),
       count(e.id) FILTER (WHERE e.state = 'active'),
       count(e.id) FILTER (WHERE e.state = 'completed'),
       count(e.id) FILTER (WHERE e.state = 'exited'),
       count(e.id) FILTER (WHERE e.state = 'failed'),
       count(e.id) FILTER (WHERE e.converted_at IS NOT NULL),
       (SELECT count(*) FROM journeys_transition t JOIN journeys_enrollment o ON o.id = t.enrollment_id WHERE o.journey_id = j.id),
       (SELECT count(*) FROM journeys_refusal r WHERE r.journey_id = j.id)
FROM journeys_journey j LEFT JOIN journeys_enrollment e ON e.journey_id = j.id
GROUP BY j.id ORDER BY j.name;

-- name: messages
-- What became of the messages, by state and by the guardrail that judged last.
SELECT state, CASE WHEN state IN ('suppressed', 'deferred', 'expired') THEN guardrail ELSE '' END AS reason, count(*)
FROM messaging_message GROUP BY 1, 2 ORDER BY 1, 2;
