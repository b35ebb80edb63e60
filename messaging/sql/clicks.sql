-- name: keep
-- Keeps where the links of messages lead. One that was tried before keeps those it had.
INSERT INTO messaging_link (message_id, place, destination)
SELECT m.id, v.place, v.destination
FROM jsonb_to_recordset(%(links)s::jsonb) AS v(message uuid, place int, destination text)
JOIN messaging_message AS m ON m.id = v.message
ON CONFLICT (message_id, place) DO NOTHING;

-- name: moved_on
-- Whoever clicked has got it: what was clicked was delivered and opened. What bounced or was marked as spam stays so.
UPDATE messaging_message SET state = 'clicked'
WHERE id = ANY(%(ids)s) AND state IN ('sent', 'delivered', 'opened', 'unknown');
