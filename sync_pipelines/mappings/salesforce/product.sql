-- A product is a Product2; its code is the SKU.
SELECT
    record_id,
    version,
    is_deleted,
    Sync_Id__c AS external_id,
    Name AS label,
    LastModifiedById AS edited_by,
    ProductCode AS code,
    Name AS name,
    Description AS description,
    Family AS family,
    IsActive AS is_active
FROM salesforce.Product2
