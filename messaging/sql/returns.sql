-- name: reached
-- Keeps that mail to addresses came through, with the last moment of each message, or that it did not, with the first.
INSERT INTO messaging_reached (channel, address_hash, message, came, at)
SELECT r.channel, r.address_hash, r.message, r.came, CASE WHEN r.came THEN max(r.at) ELSE min(r.at) END
FROM jsonb_to_recordset(%(reached)s::jsonb) AS r(channel text, address_hash text, message uuid, came boolean, at timestamptz)
GROUP BY r.channel, r.address_hash, r.message, r.came
ORDER BY r.message, r.came
ON CONFLICT (message, came) DO UPDATE
SET at = CASE WHEN excluded.came THEN greatest(messaging_reached.at, excluded.at) ELSE least(messaging_reached.at, excluded.at) END;

-- name: in_vain
-- For each address: how many messages could not be delivered since one last came through, and over how long. Plain mail servers are silent about what came through: what they have not complained of for five days did.
SELECT a.channel, a.address_hash, count(r.id), coalesce(max(r.at) - min(r.at), interval '0')
FROM unnest(%(channels)s::text[], %(hashes)s::text[], %(addresses)s::text[], %(profiles)s::uuid[]) AS a(channel, address_hash, address, profile)
LEFT JOIN messaging_reached AS r ON r.channel = a.channel AND r.address_hash = a.address_hash AND NOT r.came
    AND r.at > greatest(
        coalesce((SELECT max(c.at) FROM messaging_reached AS c WHERE c.channel = a.channel AND c.address_hash = a.address_hash AND c.came), '-infinity'),
        coalesce((
            SELECT max(m.sending_at) FROM messaging_message AS m
            WHERE m.profile_id = a.profile AND m.sending_at <= %(silent)s AND m.channel = a.channel AND m.address = a.address AND m.state = 'sent'
                AND NOT EXISTS (SELECT 1 FROM messaging_reached AS b WHERE b.message = m.id AND NOT b.came)
        ), '-infinity')
    )
GROUP BY a.channel, a.address_hash;

-- name: came_of
-- Moves messages on to what was told of them: never back, and the same in whatever order it was told. What was to be sent again and did arrive is not sent again.
UPDATE messaging_message AS m
SET state = v.state, reason = v.reason,
    fence = CASE WHEN m.state IN ('queued', 'deferred') THEN m.fence + 1 ELSE m.fence END,
    guardrail = '', evidence = CASE WHEN m.state IN ('queued', 'deferred', 'expired', 'suppressed') THEN '{}' ELSE m.evidence END,
    sent_at = coalesce(m.sent_at, m.sending_at),
    ended_at = CASE WHEN v.state IN ('failed', 'bounced', 'complained') THEN coalesce(m.ended_at, %(now)s) END
FROM jsonb_to_recordset(%(told)s::jsonb) AS v(id uuid, state text, rank int, reason text)
WHERE m.id = v.id AND m.sending_at IS NOT NULL AND m.profile_id IS NOT NULL AND m.state <> 'sending'
    AND v.rank >= coalesce(array_position(ARRAY['sent', 'failed', 'delivered', 'opened', 'clicked', 'bounced', 'complained'], m.state::text), 0)
    AND (m.state, m.reason) IS DISTINCT FROM (v.state, v.reason);
