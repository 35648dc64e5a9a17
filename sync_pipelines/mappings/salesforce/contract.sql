-- A contract is a Contract; a status that is not listed here is passed on and refused by the schema.
SELECT
    record_id,
    version,
    is_deleted,
    Sync_Id__c AS external_id,
    ContractNumber AS label,
    LastModifiedById AS edited_by,
    Opportunity__c AS correlation_id,
    ContractNumber AS number,
    Legal_Entity__c AS legal_entity,
    AccountId AS customer,
    StartDate AS start_on,
    EndDate AS end_on,
    CASE Status
        WHEN 'Draft' THEN 'draft'
        WHEN 'In Approval Process' THEN 'draft'
        WHEN 'Activated' THEN 'active'
        WHEN 'Expired' THEN 'ended'
        ELSE Status
    END AS status,
    CurrencyIsoCode AS currency
FROM salesforce.Contract
