-- An order is an Opportunity that was won and has not been lost since, dated by its close; the amount is the org's own sum of its lines.
WITH lines AS (
    SELECT
        line.OpportunityId AS opportunity_id,
        CAST(to_json(list({
            'product': line.ProductCode,
            'quantity': regexp_replace(CAST(line.Quantity AS VARCHAR), '\.?0+$', ''),
            'amount_minor': minor(line.TotalPrice, deal.CurrencyIsoCode)
        } ORDER BY line.SortOrder, line.record_id)) AS VARCHAR) AS lines
    FROM salesforce.OpportunityLineItem AS line
    JOIN salesforce.Opportunity AS deal ON deal.record_id = line.OpportunityId
    WHERE NOT line.is_deleted
    GROUP BY line.OpportunityId
)
SELECT
    deal.record_id,
    deal.version,
    deal.is_deleted,
    deal.Sync_Id__c AS external_id,
    concat_ws(' ', deal.Order_Number__c, deal.Name) AS label,
    deal.LastModifiedById AS edited_by,
    deal.record_id AS correlation_id,
    deal.Order_Number__c AS number,
    deal.Legal_Entity__c AS legal_entity,
    deal.AccountId AS customer,
    deal.CloseDate AS ordered_on,
    CASE WHEN deal.IsWon THEN 'confirmed' WHEN deal.IsClosed THEN 'cancelled' END AS status,
    deal.CurrencyIsoCode AS currency,
    minor(deal.Amount, deal.CurrencyIsoCode) AS net_minor,
    coalesce(lines.lines, '[]') AS lines
FROM salesforce.Opportunity AS deal
LEFT JOIN lines ON lines.opportunity_id = deal.record_id
WHERE deal.IsWon OR (deal.IsClosed AND deal.Order_Number__c IS NOT NULL)
