-- name: place
-- Puts a message into the inbox of whoever it is for; once, however often it is tried, and not of somebody who was erased.
INSERT INTO messaging_inboxmessage (message_id, look, placed_at, expires_at)
SELECT id, %(look)s, %(now)s, %(until)s FROM messaging_message WHERE id = %(message)s AND profile_id IS NOT NULL
ON CONFLICT (message_id) DO NOTHING;

-- name: moved_on
-- What a message has become through its reader; it never goes back.
UPDATE messaging_message SET state = %(state)s WHERE id = ANY(%(ids)s) AND state = ANY(%(from)s);

-- name: spend
-- Counts that somebody's page asked once more in this minute; how often that is.
INSERT INTO messaging_inboxpace AS p (profile_id, minute, asked) VALUES (%(profile)s, date_trunc('minute', %(now)s::timestamptz), 1)
ON CONFLICT (profile_id) DO UPDATE
SET asked = CASE WHEN p.minute = excluded.minute THEN p.asked + 1 ELSE 1 END, minute = excluded.minute
RETURNING asked;
