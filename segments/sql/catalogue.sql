-- name: overlaps
-- Of each segment's newest members, how many are in each other live segment; the largest overlaps first.
SELECT s.id, o.id, x.shared, x.sampled
FROM segments_segment s
CROSS JOIN LATERAL (
    SELECT m.segment_id AS other, count(*) AS shared, max(t.sampled) AS sampled
    FROM (
        SELECT n.profile_id, count(*) OVER () AS sampled
        FROM (
            SELECT profile_id FROM segments_membership
            WHERE segment_id = s.id ORDER BY id DESC LIMIT %(sample)s
        ) n
    ) t
    JOIN segments_membership m ON m.profile_id = t.profile_id AND m.segment_id <> s.id
    GROUP BY 1
) x
JOIN segments_segment o ON o.id = x.other AND o.status = 'live'
WHERE s.id = ANY(%(segments)s)
ORDER BY s.id, x.shared DESC, o.name
