-- name: by_channel
-- What became of the messages that were queued since then, by channel and state.
SELECT channel, state, count(*) FROM messaging_message
WHERE queued_at > %(since)s AND queued_at <= %(now)s
GROUP BY channel, state;

-- name: held_back
-- What holds messages back, or has stopped them, by the guardrail that said so.
SELECT guardrail, state, count(*) FROM messaging_message
WHERE queued_at > %(since)s AND queued_at <= %(now)s AND guardrail <> '' AND state IN ('deferred', 'suppressed', 'expired')
GROUP BY guardrail, state
ORDER BY count(*) DESC, guardrail, state;

-- name: by_day
-- The same day by day: what went out, what is known to have arrived, and what went wrong.
SELECT (queued_at AT TIME ZONE %(zone)s)::date AS day,
    count(*) FILTER (WHERE sent_at IS NOT NULL),
    count(*) FILTER (WHERE state IN ('delivered', 'opened', 'clicked')),
    count(*) FILTER (WHERE state = 'bounced'),
    count(*) FILTER (WHERE state = 'complained'),
    count(*) FILTER (WHERE state IN ('failed', 'unknown', 'expired')),
    count(*) FILTER (WHERE state = 'suppressed')
FROM messaging_message
WHERE queued_at > %(since)s AND queued_at <= %(now)s
GROUP BY 1 ORDER BY 1 DESC;

-- name: by_domain
-- How the largest receivers of mail take it: what went there, what came back, and who complained.
SELECT lower(split_part(address, '@', 2)) AS domain, count(*),
    count(*) FILTER (WHERE state = 'bounced'),
    count(*) FILTER (WHERE state = 'complained')
FROM messaging_message
WHERE queued_at > %(since)s AND queued_at <= %(now)s AND channel = 'email' AND sent_at IS NOT NULL AND address LIKE '%%@%%'
GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 12;

-- name: told
-- What was told of messages, by what it means and what was done about it.
SELECT meaning, state, count(*) FROM messaging_report
WHERE received_at > %(since)s AND received_at <= %(now)s
GROUP BY meaning, state
ORDER BY count(*) DESC, meaning, state;
