-- name: count_sent
-- Adds what was taken, to each receiver of mail on a day. In one order, so that two who count wait in no circle.
INSERT INTO messaging_mailday AS d (day, place, sent)
SELECT %(day)s, place, n FROM unnest(%(places)s::text[], %(counts)s::int[]) AS v(place, n)
ORDER BY place
ON CONFLICT (day, place) DO UPDATE SET sent = d.sent + excluded.sent;

-- name: complaints
-- The mails sent since then that were marked as spam: by whom, and on which day they had been sent.
SELECT (sent_at AT TIME ZONE %(zone)s)::date, address FROM messaging_message
WHERE state = 'complained' AND channel = 'email' AND sent_at >= %(since)s AND address <> '';
