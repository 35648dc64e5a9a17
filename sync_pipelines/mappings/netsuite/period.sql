-- The months of the books, the same for all subsidiaries. A lock keeps our documents out as a close does: only people
-- with a permission of their own pass it. Quarters and years take no documents, adjustments overlap the months.
SELECT
    coalesce(subsidiary.externalid, subsidiary.name) AS legal_entity,
    'receivable' AS ledger,
    period.startdate AS start_on,
    period.enddate AS end_on,
    CASE WHEN period.closed = 'T' OR period.arlocked = 'T' OR period.alllocked = 'T' THEN 'closed' ELSE 'open' END AS state
FROM netsuite.accountingPeriod AS period
CROSS JOIN netsuite.subsidiary AS subsidiary
WHERE period.isquarter = 'F' AND period.isyear = 'F' AND period.isadjust = 'F'
    AND NOT period.is_deleted AND NOT subsidiary.is_deleted AND subsidiary.isinactive = 'F'
