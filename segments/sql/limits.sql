-- name: must_go
-- Who is in a segment that is filled by hand, and must not be.
SELECT DISTINCT s.id, s.slug, m.profile_id
FROM consent_limit l
JOIN segments_membership m ON m.profile_id = l.profile_id
JOIN segments_segment s ON s.id = m.segment_id AND s.kind = 'static'
WHERE (l.kind = 'restricted' OR (l.kind = 'objected' AND s.marketing))
  AND (%(profiles)s::uuid[] IS NULL OR l.profile_id = ANY(%(profiles)s::uuid[]))
  AND (%(segment)s::bigint IS NULL OR s.id = %(segment)s::bigint)
ORDER BY 1, 3;

-- name: may_come
-- Who had to go from a segment that is filled by hand, was touched by no hand since, and is free now.
SELECT s.id, s.slug, g.profile_id
FROM (
    SELECT DISTINCT c.segment_id, c.profile_id FROM segments_membershipchange c
    WHERE c.cause = 'limit' AND NOT c.entered
      AND (%(profiles)s::uuid[] IS NULL OR c.profile_id = ANY(%(profiles)s::uuid[]))
      AND (%(segment)s::bigint IS NULL OR c.segment_id = %(segment)s::bigint)
) g
JOIN segments_segment s ON s.id = g.segment_id AND s.kind = 'static' AND s.status <> 'archived'
CROSS JOIN LATERAL (
    SELECT c.cause, c.entered FROM segments_membershipchange c
    WHERE c.profile_id = g.profile_id AND c.segment_id = g.segment_id ORDER BY c.at DESC, c.id DESC LIMIT 1
) last
WHERE last.cause = 'limit' AND NOT last.entered
  AND NOT EXISTS (
    SELECT FROM consent_limit l
    WHERE l.profile_id = g.profile_id AND (l.kind = 'restricted' OR (l.kind = 'objected' AND s.marketing))
  )
ORDER BY 1, 3;
