-- name: erase_events
DELETE FROM profiles_event WHERE profile_id = %(profile)s;

-- name: erase_days
DELETE FROM profiles_eventday WHERE profile_id = %(profile)s;

-- name: erase_pulses
DELETE FROM profiles_pulse WHERE profile_id = %(profile)s;

-- name: erase_rejected
-- What was refused and names the person. Rare enough to read all that is kept.
DELETE FROM profiles_rejectedevent
WHERE payload ILIKE ANY(%(patterns)s) OR name ILIKE ANY(%(patterns)s) OR reason ILIKE ANY(%(patterns)s);

-- name: erase_answers
-- Remembered answers of the API that show the person.
DELETE FROM staff_idempotentanswer WHERE body::text ILIKE ANY(%(patterns)s);

-- name: erase_event_samples
-- Sample values in the catalogue that are the person's go; types and other samples stay.
UPDATE profiles_eventtype t SET properties = (
    SELECT jsonb_object_agg(p.key, p.value || jsonb_build_object('samples', coalesce((
        SELECT jsonb_agg(s) FROM jsonb_array_elements(p.value->'samples') s WHERE NOT s::text ILIKE ANY(%(patterns)s)
    ), '[]')))
    FROM jsonb_each(t.properties) p
)
WHERE t.properties::text ILIKE ANY(%(patterns)s);

-- name: erase_attribute_samples
UPDATE profiles_attributetype t SET samples = coalesce((
    SELECT jsonb_agg(s) FROM jsonb_array_elements(t.samples) s WHERE NOT s::text ILIKE ANY(%(patterns)s)
), '[]')
WHERE t.samples::text ILIKE ANY(%(patterns)s);
