-- name: hold
-- Holds each live segment until the transaction ends, together with others who refresh people; false: somebody builds it.
-- 0 stands for the making of live segments as such. The lock, unlike one on the row, lets whoever waits to build come first.
SELECT id, pg_try_advisory_xact_lock_shared(212992004, id::int)
FROM (SELECT id FROM segments_segment WHERE status = 'live' UNION ALL SELECT 0 ORDER BY id OFFSET 0) s;

-- name: hold_alone
-- Waits until nobody refreshes people in these segments, and keeps others out until the transaction ends.
SELECT pg_advisory_xact_lock(212992004, id) FROM (SELECT id FROM unnest(%(ids)s::int[]) AS s(id) ORDER BY id OFFSET 0) s;

-- name: members
-- In which segments these people are.
SELECT segment_id, array_agg(profile_id) FROM segments_membership
WHERE profile_id = ANY(%(profiles)s) AND segment_id = ANY(%(segments)s)
GROUP BY 1;

-- name: watched
-- As of when these people were asked last, and whether everything is to be asked of them anew. Held against the sweep.
SELECT profile_id, asked_at, anew FROM segments_watch WHERE profile_id = ANY(%(profiles)s) ORDER BY profile_id FOR UPDATE;

-- name: watch
-- These people are asked as of now, and must be asked again at these times, if not before.
INSERT INTO segments_watch (profile_id, asked_at, next_at)
SELECT p.id, %(now)s, w.moment FROM unnest(%(profiles)s::uuid[], %(moments)s::timestamptz[]) AS w(profile, moment)
JOIN profiles_profile p ON p.id = w.profile ORDER BY p.id
ON CONFLICT (profile_id) DO UPDATE
SET asked_at = excluded.asked_at, anew = false, next_at = least(segments_watch.next_at, excluded.next_at);

-- name: foresee
-- These people must be asked again at these times, if not before. Who was never asked is still to be.
INSERT INTO segments_watch (profile_id, next_at, anew)
SELECT p.id, w.moment, true FROM unnest(%(profiles)s::uuid[], %(moments)s::timestamptz[]) AS w(profile, moment)
JOIN profiles_profile p ON p.id = w.profile ORDER BY p.id
ON CONFLICT (profile_id) DO UPDATE SET next_at = excluded.next_at
WHERE segments_watch.next_at IS NULL OR excluded.next_at < segments_watch.next_at;

-- name: following
-- The next of all people, in order of id.
SELECT id FROM profiles_profile WHERE id > %(after)s ORDER BY id LIMIT %(limit)s;

-- name: enter
-- These people come into these segments.
INSERT INTO segments_membership (segment_id, profile_id, entered_at, cause, version_id)
SELECT c.segment, c.profile, %(now)s, c.cause, c.version
FROM unnest(%(segments)s::bigint[], %(profiles)s::uuid[], %(causes)s::text[], %(versions)s::bigint[])
    AS c(segment, profile, cause, version)
ON CONFLICT (segment_id, profile_id) DO NOTHING
RETURNING segment_id, profile_id;

-- name: leave
-- These people go from these segments.
DELETE FROM segments_membership m
USING unnest(%(segments)s::bigint[], %(profiles)s::uuid[]) AS c(segment, profile)
WHERE m.segment_id = c.segment AND m.profile_id = c.profile
RETURNING m.segment_id, m.profile_id;

-- name: tell
-- The history of who came and went.
INSERT INTO segments_membershipchange (segment_id, profile_id, entered, at, cause, version_id)
SELECT c.segment, c.profile, c.entered, %(now)s, c.cause, c.version
FROM unnest(%(segments)s::bigint[], %(profiles)s::uuid[], %(entered)s::boolean[], %(causes)s::text[], %(versions)s::bigint[])
    AS c(segment, profile, entered, cause, version);

-- name: put_off
-- These people must be asked again for these segments, once they are free.
INSERT INTO segments_late (segment_id, profile_id, cause, at)
SELECT c.segment, c.profile, c.cause, %(now)s
FROM unnest(%(segments)s::bigint[], %(profiles)s::uuid[], %(causes)s::text[]) AS c(segment, profile, cause);

-- name: take_late
-- What was put off for these people, but for segments that somebody still builds.
DELETE FROM segments_late
WHERE profile_id = ANY(%(profiles)s) AND (segment_id IS NULL OR NOT segment_id = ANY(%(but)s::bigint[]))
RETURNING segment_id, profile_id, cause, entered, at;

-- name: empty
-- Everybody goes from a segment.
WITH gone AS (
    DELETE FROM segments_membership WHERE segment_id = %(segment)s RETURNING profile_id
)
INSERT INTO segments_membershipchange (segment_id, profile_id, entered, at, cause, version_id)
SELECT %(segment)s, profile_id, false, %(now)s, %(cause)s, %(version)s FROM gone;

-- name: put_off_for
-- Who was put off for these segments, or for those being made.
SELECT DISTINCT profile_id FROM segments_late
WHERE (segment_id = ANY(%(segments)s::bigint[]) OR segment_id IS NULL) AND entered IS NULL;

-- name: take_due
-- The people whose answers may change by now. As if they were new, everything is asked of them again.
UPDATE segments_watch SET next_at = NULL, anew = true
WHERE profile_id IN (
    SELECT profile_id FROM segments_watch WHERE next_at <= %(now)s
    ORDER BY next_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
RETURNING profile_id;

-- name: forgotten
-- People who were put off and whom nobody is about to ask.
SELECT DISTINCT l.profile_id FROM segments_late l
WHERE NOT EXISTS (SELECT FROM profiles_pulse u WHERE u.profile_id = l.profile_id)
LIMIT %(limit)s;

-- name: fold
-- Puts into each segment's size what came and went since; a segment whose row somebody holds waits for the next time.
WITH counted AS (
    SELECT id FROM segments_segment WHERE id IN (SELECT segment_id FROM segments_sizechange)
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
), taken AS (
    DELETE FROM segments_sizechange c USING counted s WHERE c.segment_id = s.id RETURNING c.segment_id, c.n
)
UPDATE segments_segment s SET counted = s.counted + t.n
FROM (SELECT segment_id, sum(n) AS n FROM taken GROUP BY 1) t
WHERE s.id = t.segment_id;

-- name: changed_last
-- When somebody last came into a segment, or went.
SELECT max(at) FROM segments_membershipchange WHERE segment_id = %(segment)s;

-- name: put_off_at
-- When somebody of these was put off last.
SELECT max(at) FROM segments_late WHERE profile_id = ANY(%(profiles)s);
