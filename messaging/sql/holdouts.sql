-- name: absorb
-- Gives the survivors the sides of those who became part of them; where both have one, the earlier stays, and that they differed is marked.
INSERT INTO messaging_exposure AS e (holdout_id, profile_id, held, exposed_at, crossed)
SELECT DISTINCT ON (x.holdout_id, v.survivor) x.holdout_id, v.survivor, x.held, x.exposed_at,
    bool_or(x.crossed) OVER w OR min(x.held::int) OVER w <> max(x.held::int) OVER w
FROM unnest(%(absorbed)s::uuid[], %(survivors)s::uuid[]) AS v(absorbed, survivor)
JOIN messaging_exposure AS x ON x.profile_id = v.absorbed
WINDOW w AS (PARTITION BY x.holdout_id, v.survivor)
ORDER BY x.holdout_id, v.survivor, x.exposed_at, x.held DESC
ON CONFLICT (holdout_id, profile_id) DO UPDATE
SET held = CASE WHEN excluded.exposed_at < e.exposed_at THEN excluded.held ELSE e.held END,
    exposed_at = least(excluded.exposed_at, e.exposed_at),
    crossed = e.crossed OR excluded.crossed OR excluded.held <> e.held;

-- name: sides
-- How many people each holdout concerned, on either side.
SELECT holdout_id, count(*) FILTER (WHERE held AND NOT crossed), count(*) FILTER (WHERE NOT held AND NOT crossed), count(*) FILTER (WHERE crossed)
FROM messaging_exposure WHERE holdout_id = ANY(%(ids)s)
GROUP BY holdout_id;
