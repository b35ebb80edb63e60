-- name: harm
-- Of the last messages of each live journey, since it was published or resumed: how many failed, bounced, were marked as
-- spam. Only the newest messages of all are walked through.
WITH newest AS MATERIALIZED (
    SELECT m.journey, m.state, m.queued_at, m.id FROM messaging_message m ORDER BY m.queued_at DESC, m.id DESC
    LIMIT %(newest)s
), last AS (
    SELECT n.journey, n.state, row_number() OVER (PARTITION BY n.journey ORDER BY n.queued_at DESC, n.id DESC) AS place
    FROM newest n
    JOIN journeys_journey j ON j.slug = n.journey AND j.status = 'live'
    WHERE (j.watched_since IS NULL OR n.queued_at >= j.watched_since)
      AND n.state NOT IN ('queued', 'deferred', 'sending', 'suppressed', 'expired')
)
SELECT journey, count(*) FILTER (WHERE state = 'failed'), count(*) FILTER (WHERE state = 'bounced'),
       count(*) FILTER (WHERE state = 'complained')
FROM last
WHERE place <= %(last)s
GROUP BY journey
HAVING count(*) FILTER (WHERE state IN ('failed', 'bounced', 'complained')) > 0
ORDER BY journey;

-- name: to_be_asked
-- The next of those on the way in a journey, in order of id; whom somebody else has in hand is asked there.
SELECT e.id, e.journey_id, e.version_id, e.profile_id, e.step, e.state, e.due_at, e.awaits, e.entered_at,
       e.step_entered_at, e.context, e.passed, e.attempts, e.converted_at
FROM journeys_enrollment e
WHERE e.journey_id = %(journey)s AND e.state = 'active' AND (%(after)s::uuid IS NULL OR e.id > %(after)s::uuid)
ORDER BY e.id
LIMIT %(limit)s
FOR UPDATE SKIP LOCKED;
