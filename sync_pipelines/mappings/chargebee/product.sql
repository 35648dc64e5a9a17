-- A product is an item; its code is the SKU in its metadata, and without one its id.
SELECT
    item.record_id,
    item.version,
    item.is_deleted,
    item.record_id AS external_id,
    item.name AS label,
    coalesce(item.metadata ->> 'sku', item.record_id) AS code,
    item.name,
    item.description,
    family.name AS family,
    item.status = 'active' AS is_active
FROM chargebee.items AS item
LEFT JOIN chargebee.item_families AS family ON family.record_id = item.item_family_id
