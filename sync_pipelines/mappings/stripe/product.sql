-- A product is a product; its code is the SKU in its metadata.
SELECT
    record_id,
    version,
    is_deleted,
    metadata.sync_id AS external_id,
    name AS label,
    metadata.sku AS code,
    name,
    description,
    metadata.family AS family,
    active AS is_active
FROM stripe.products
