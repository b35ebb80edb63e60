-- name: old_contents
-- How many messages that ended before a moment still have what they said, counted so far and no further.
SELECT count(*) FROM (
    SELECT FROM messaging_message
    WHERE queued_at < %(before)s AND state NOT IN ('queued', 'deferred', 'sending')
      AND (subject <> '' OR text <> '' OR html <> '' OR address <> '')
    LIMIT %(limit)s
) AS old;

-- name: forget_contents
-- What they said and where they went; that they were sent, when and what came of it stays, and so do all figures.
UPDATE messaging_message SET subject = '', text = '', html = '', address = '', context = '{}', evidence = '{}'
WHERE id IN (
    SELECT id FROM messaging_message
    WHERE queued_at < %(before)s AND state NOT IN ('queued', 'deferred', 'sending')
      AND (subject <> '' OR text <> '' OR html <> '' OR address <> '')
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
);
