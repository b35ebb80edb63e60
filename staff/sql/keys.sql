-- name: spend
-- Takes the items out of what the key may spend, if there is enough, and says so; else says when there will be.
-- A bucket that holds one minute's worth and fills steadily, kept as the moment up to which it is paid for: one row,
-- one statement, so that two requests at once cannot both take the last of it. A batch larger than the bucket goes
-- through when the bucket is full and is paid off afterwards, else it would be refused for ever.
WITH asked AS (
    SELECT %(now)s::timestamptz AS now, interval '1 minute' * (%(items)s::float / %(rate)s::float) AS cost
), taken AS (
    INSERT INTO staff_keyspending AS s (key_id, paid_until)
    SELECT %(key)s, now + cost FROM asked
    ON CONFLICT (key_id) DO UPDATE
        SET paid_until = greatest(s.paid_until, %(now)s) + (SELECT cost FROM asked)
        WHERE s.paid_until <= %(now)s
           OR s.paid_until + (SELECT cost FROM asked) <= %(now)s::timestamptz + interval '1 minute'
    RETURNING 1
)
SELECT EXISTS (SELECT 1 FROM taken),
       -- Read in the statement's own snapshot, so perhaps a little old: good enough to say how long to wait.
       (SELECT extract(epoch FROM least(s.paid_until, s.paid_until + cost - interval '1 minute') - now)::float
        FROM staff_keyspending s, asked WHERE s.key_id = %(key)s)
