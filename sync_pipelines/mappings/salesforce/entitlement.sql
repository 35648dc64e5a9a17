-- An entitlement is an Entitlement with a number; the others belong to the service desk and are not ours.
SELECT
    record_id,
    version,
    is_deleted,
    Sync_Id__c AS external_id,
    Name AS label,
    Entitlement_Number__c AS number,
    AccountId AS customer,
    Product__c AS product,
    Quantity__c AS quantity,
    StartDate AS start_on,
    EndDate AS end_on
FROM salesforce.Entitlement
WHERE Entitlement_Number__c IS NOT NULL
