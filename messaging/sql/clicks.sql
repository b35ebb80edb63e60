-- name: keep
-- Keeps where the links of messages lead. One that was tried before keeps those it had.
INSERT INTO messaging_link (message_id, place, destination)
SELECT m.id, v.place, v.destination
FROM jsonb_to_recordset(%(links)s::jsonb) AS v(message uuid, place int, destination text)
JOIN messaging_message AS m ON m.id = v.message
ON CONFLICT (message_id, place) DO NOTHING;

-- name: fallen_back
-- What no person opened or followed after all is what else was told of it.
UPDATE messaging_message AS m
SET state = CASE
    WHEN EXISTS (SELECT 1 FROM messaging_hit AS h JOIN messaging_link AS l ON l.id = h.link_id WHERE l.message_id = m.id AND h.kind = 'human')
        OR EXISTS (SELECT 1 FROM messaging_report AS r WHERE r.message_id = m.id AND r.state = 'applied' AND r.meaning = 'clicked') THEN 'clicked'
    WHEN EXISTS (SELECT 1 FROM messaging_opening AS o WHERE o.message_id = m.id AND o.kind = 'human')
        OR EXISTS (SELECT 1 FROM messaging_report AS r WHERE r.message_id = m.id AND r.state = 'applied' AND r.meaning = 'opened') THEN 'opened'
    WHEN EXISTS (SELECT 1 FROM messaging_report AS r WHERE r.message_id = m.id AND r.state = 'applied' AND r.meaning = 'delivered') THEN 'delivered'
    ELSE 'sent' END
WHERE m.id = ANY(%(ids)s) AND m.state IN ('opened', 'clicked');
