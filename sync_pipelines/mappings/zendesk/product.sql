-- Zendesk has no products: they are the options of the dropdown "Product", by which agents say what a ticket is about.
-- An option's tag is its product's code in small letters.
WITH option AS (
    SELECT version, is_deleted, active, unnest(custom_field_options) AS held
    FROM zendesk.ticket_fields
    WHERE title = 'Product' AND type = 'tagger'
)
SELECT
    held.value AS record_id,
    version,
    is_deleted,
    held.name AS label,
    upper(held.value) AS code,
    held.name AS name,
    active AS is_active
FROM option
