-- A customer is an Account; one that was merged away names its survivor.
SELECT
    record_id,
    version,
    is_deleted,
    CASE WHEN is_deleted THEN MasterRecordId END AS merged_into,
    Sync_Id__c AS external_id,
    Name AS label,
    LastModifiedById AS edited_by,
    AccountNumber AS number,
    Name AS name,
    Tax_Id__c AS tax_id,
    Billing_Email__c AS email,
    Phone AS phone,
    Website AS website,
    BillingStreet AS street,
    BillingCity AS city,
    BillingPostalCode AS postal_code,
    upper(BillingCountry) AS country,
    Active__c AS is_active
FROM salesforce.Account
