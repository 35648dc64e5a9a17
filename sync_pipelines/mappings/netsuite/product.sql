-- A product is a service that is sold.
SELECT
    item.record_id,
    item.version,
    item.is_deleted,
    coalesce(item.displayname, item.itemid) AS label,
    item.itemid AS code,
    coalesce(item.displayname, item.itemid) AS name,
    item.description,
    item.isinactive = 'F' AS is_active
FROM netsuite.serviceSaleItem AS item
