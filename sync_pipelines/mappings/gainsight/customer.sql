-- A customer is a company. SfdcAccountId is what Gainsight's own connector to the CRM leaves there: the account's id.
SELECT
    record_id,
    version,
    is_deleted,
    Sync_Id__gc AS external_id,
    SfdcAccountId AS counterpart_id,
    Name AS label,
    Customer_Number__gc AS number,
    Name AS name,
    upper(Country__gc) AS country,
    Is_Active_Customer__gc AS is_active
FROM gainsight.Company
