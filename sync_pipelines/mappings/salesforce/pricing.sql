-- A price is an entry of a "List …" price book; an entry that was switched off is no price any more.
SELECT
    entry.record_id,
    entry.version,
    entry.is_deleted OR NOT entry.IsActive AS is_deleted,
    entry.Sync_Id__c AS external_id,
    concat_ws(' in ', product.Name, entry.CurrencyIsoCode) AS label,
    entry.LastModifiedById AS edited_by,
    entry.Product2Id AS product,
    entry.CurrencyIsoCode AS currency,
    product.Billing_Interval__c AS billing_interval,
    minor(entry.UnitPrice, entry.CurrencyIsoCode) AS amount_minor
FROM salesforce.PricebookEntry AS entry
JOIN salesforce.Pricebook2 AS book ON book.record_id = entry.Pricebook2Id
LEFT JOIN salesforce.Product2 AS product ON product.record_id = entry.Product2Id
WHERE book.Name LIKE 'List %' AND book.IsActive AND NOT book.is_deleted
