-- name: settle
-- Adds counts that are on their way to their sums, and drops sums that came to nothing; how many it took up.
WITH taken AS (
    DELETE FROM journeys_tally WHERE id IN (SELECT id FROM journeys_tally WHERE NOT settled LIMIT %(limit)s)
    RETURNING journey_id, version_id, day, step, arm, what, n
), summed AS (
    SELECT journey_id, version_id, day, step, arm, what, sum(n) AS n
    FROM taken GROUP BY journey_id, version_id, day, step, arm, what
), added AS (
    INSERT INTO journeys_tally AS t (journey_id, version_id, day, step, arm, what, n, settled)
    SELECT s.*, true FROM summed s WHERE s.n <> 0
    ON CONFLICT (journey_id, version_id, day, step, arm, what) WHERE settled DO UPDATE SET n = t.n + excluded.n
)
SELECT count(*) FROM taken;

-- name: alone
-- Whether nobody else is summing up: two who do would wait for each other's sums.
SELECT pg_try_advisory_xact_lock(hashtext('journeys.numbers'));

-- name: of
-- All counts of a journey, summed over the days since one on which the people entered, of all versions or of one.
SELECT step, arm, what, sum(n)::bigint
FROM (
    SELECT version_id, day, step, arm, what, n FROM journeys_tally WHERE settled AND journey_id = %(journey)s
    UNION ALL
    SELECT version_id, day, step, arm, what, n FROM journeys_tally WHERE NOT settled AND journey_id = %(journey)s
) AS t
WHERE (%(version)s::bigint IS NULL OR version_id = %(version)s::bigint)
  AND (%(since)s::date IS NULL OR day >= %(since)s::date)
GROUP BY step, arm, what
HAVING sum(n) <> 0;

-- name: totals
-- How it stands with all who ever entered these journeys.
SELECT journey_id, what, sum(n)::bigint
FROM (
    SELECT journey_id, step, what, n FROM journeys_tally
    WHERE settled AND journey_id = ANY(%(journeys)s::bigint[])
    UNION ALL
    SELECT journey_id, step, what, n FROM journeys_tally
    WHERE NOT settled AND journey_id = ANY(%(journeys)s::bigint[])
) AS t
WHERE step = '' OR what IN ('active', 'failed')
GROUP BY journey_id, what
HAVING sum(n) <> 0;

-- name: keep
-- What somebody counts for, counted once more before the triggers subtract it with what is deleted, and kept for whoever
-- counts again. In the order of the keys: two who are erased at once do not wait for each other in a circle.
WITH mine AS (
    SELECT id, journey_id, version_id, (entered_at AT TIME ZONE 'UTC')::date AS day, step, state, converted_at
    FROM journeys_enrollment WHERE profile_id = %(profile)s
), counted AS (
    SELECT journey_id, version_id, day, '' AS step, '' AS arm,
           CASE WHEN state IN ('active', 'failed') THEN 'exited' ELSE state END AS what
    FROM mine
    UNION ALL
    SELECT journey_id, version_id, day, step, '', 'left' FROM mine WHERE state IN ('active', 'failed')
    UNION ALL
    SELECT journey_id, version_id, day, '', '', 'converted' FROM mine WHERE converted_at IS NOT NULL
    UNION ALL
    SELECT e.journey_id, t.version_id, e.day, t.step, t.arm, w.what
    FROM mine e
    JOIN journeys_transition t ON t.enrollment_id = e.id
    CROSS JOIN LATERAL journeys_counted(t.answer, coalesce(t.at <= e.converted_at, false)) AS w(what)
), summed AS (
    SELECT journey_id, version_id, day, step, arm, what, count(*) AS n
    FROM counted GROUP BY 1, 2, 3, 4, 5, 6
), kept AS (
    INSERT INTO journeys_bygone AS b (journey_id, version_id, day, step, arm, what, n)
    SELECT * FROM summed ORDER BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (journey_id, version_id, day, step, arm, what) DO UPDATE SET n = b.n + excluded.n
)
INSERT INTO journeys_tally (journey_id, version_id, day, step, arm, what, n, settled)
SELECT journey_id, version_id, day, step, arm, what, n, false FROM summed;

-- name: miscounted
-- Journeys whose counts are not what counting everybody again gives, with what those who were erased count for.
WITH counted AS (
    SELECT journey_id, version_id, (entered_at AT TIME ZONE 'UTC')::date AS day,
           CASE WHEN state IN ('active', 'failed') THEN step ELSE '' END AS step, '' AS arm, state AS what, count(*) AS n
    FROM journeys_enrollment GROUP BY 1, 2, 3, 4, state
    UNION ALL
    SELECT journey_id, version_id, (entered_at AT TIME ZONE 'UTC')::date, '', '', 'converted', count(*)
    FROM journeys_enrollment WHERE converted_at IS NOT NULL GROUP BY 1, 2, 3
    UNION ALL
    SELECT e.journey_id, t.version_id, (e.entered_at AT TIME ZONE 'UTC')::date, t.step, t.arm, w.what, count(*)
    FROM journeys_transition t
    JOIN journeys_enrollment e ON e.id = t.enrollment_id
    CROSS JOIN LATERAL journeys_counted(t.answer, coalesce(t.at <= e.converted_at, false)) AS w(what)
    GROUP BY 1, 2, 3, 4, 5, 6
), expected AS (
    SELECT journey_id, version_id, day, step, arm, what, sum(n) AS n
    FROM (
        SELECT * FROM counted
        UNION ALL
        SELECT journey_id, version_id, day, step, arm, what, n FROM journeys_bygone
    ) AS c
    GROUP BY 1, 2, 3, 4, 5, 6
), known AS (
    SELECT journey_id, version_id, day, step, arm, what, sum(n) AS n FROM journeys_tally GROUP BY 1, 2, 3, 4, 5, 6
)
SELECT DISTINCT j.slug
FROM expected c
FULL JOIN known k USING (journey_id, version_id, day, step, arm, what)
JOIN journeys_journey j ON j.id = journey_id
WHERE coalesce(c.n, 0) <> coalesce(k.n, 0)
ORDER BY j.slug;
