-- The base price of an item in each currency, for the smallest quantity. A price is part of its item.
SELECT
    price.record_id,
    price.version,
    price.is_deleted,
    concat_ws(' in ', coalesce(item.displayname, item.itemid), currency.symbol) AS label,
    price.item AS product,
    currency.symbol AS currency,
    minor(price.unitprice, currency.symbol) AS amount_minor
FROM netsuite.pricing AS price
JOIN netsuite.currency AS currency ON currency.record_id = price.currency
LEFT JOIN netsuite.serviceSaleItem AS item ON item.record_id = price.item
WHERE price.pricelevel = '1'
