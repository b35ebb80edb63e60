-- name: sent
-- How many messages each person was sent in a time and may have got, but for those of one journey ("" leaves out none).
SELECT profile_id, count(*) FROM messaging_message
WHERE sending_at > %(since)s AND sending_at <= %(until)s AND profile_id IS NOT NULL
    AND state NOT IN ('suppressed', 'failed', 'expired')
    AND (%(without)s = '' OR journey <> %(without)s)
GROUP BY profile_id;
