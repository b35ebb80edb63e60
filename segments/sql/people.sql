-- name: move_by_hand
-- The survivors come into the segments that were filled by hand and that hold whom they absorbed.
INSERT INTO segments_membership (segment_id, profile_id, entered_at, cause, version_id)
SELECT m.segment_id, u.survivor, min(m.entered_at), 'merge', max(m.version_id)
FROM unnest(%(survivors)s::uuid[], %(absorbed)s::uuid[]) AS u(survivor, absorbed)
JOIN segments_membership m ON m.profile_id = u.absorbed
JOIN segments_segment s ON s.id = m.segment_id AND s.kind = 'static'
GROUP BY m.segment_id, u.survivor
ON CONFLICT (segment_id, profile_id) DO NOTHING;

-- name: tell_moved
-- The history of what the survivors came into by that.
INSERT INTO segments_membershipchange (segment_id, profile_id, entered, at, cause, version_id)
SELECT DISTINCT m.segment_id, m.profile_id, true, m.entered_at, 'merge', m.version_id
FROM segments_membership m
JOIN segments_segment s ON s.id = m.segment_id AND s.kind = 'static'
WHERE m.profile_id = ANY(%(survivors)s) AND m.cause = 'merge'
  AND NOT EXISTS (
    SELECT FROM segments_membershipchange c
    WHERE c.segment_id = m.segment_id AND c.profile_id = m.profile_id AND c.at = m.entered_at
  );
