-- Invoices, and credit memos as credits with negative amounts; billing's number is the document's own. An invoice is
-- voided by a credit memo over all of it, whose external id names it: the two balance each other, and neither counts.
-- Lines have the opposite sign of what they add to what the customer owes. Posting in the period of a document's own
-- date is the rule; the first day of another period is told.
WITH document AS (
    SELECT 'invoice' AS kind, CAST(NULL AS VARCHAR) AS externalid, record_id, version, is_deleted, tranid, trandate,
        entity, currency, postingperiod, status, foreigntotal, lastmodifiedby, transactionline_subsidiary
    FROM netsuite.invoice
    UNION ALL
    SELECT 'credit' AS kind, externalid, record_id, version, is_deleted, tranid, trandate,
        entity, currency, postingperiod, status, foreigntotal, lastmodifiedby, transactionline_subsidiary
    FROM netsuite.creditMemo
),
voided AS (
    SELECT DISTINCT substr(externalid, 6) AS invoice
    FROM netsuite.creditMemo
    WHERE externalid LIKE 'VOID-%' AND NOT is_deleted
),
lines AS (
    SELECT
        line.transaction,
        sum(-line.foreignamount) FILTER (line.taxline = 'F') AS net,
        sum(-line.foreignamount) FILTER (line.taxline = 'T') AS tax,
        CAST(to_json(list({
            'product': item.itemid,
            'quantity': regexp_replace(CAST(-line.quantity AS VARCHAR), '\.?0+$', ''),
            'amount_minor': minor(-line.foreignamount, currency.symbol)
        } ORDER BY line.linesequencenumber) FILTER (line.taxline = 'F')) AS VARCHAR) AS lines
    FROM netsuite.transactionLine AS line
    JOIN document ON document.record_id = line.transaction
    JOIN netsuite.currency AS currency ON currency.record_id = document.currency
    LEFT JOIN netsuite.serviceSaleItem AS item ON item.record_id = line.item
    WHERE NOT line.is_deleted
    GROUP BY line.transaction
)
SELECT
    document.record_id,
    document.version,
    document.is_deleted,
    document.tranid AS label,
    'netsuite employee ' || document.lastmodifiedby AS edited_by,
    document.status = 'B' AS is_settled,
    document.tranid AS number,
    document.kind,
    coalesce(subsidiary.externalid, subsidiary.name) AS legal_entity,
    document.entity AS customer,
    document.trandate AS issued_on,
    CASE WHEN document.trandate NOT BETWEEN period.startdate AND period.enddate THEN period.startdate END AS posting_on,
    CASE
        WHEN document.status = 'V' OR document.externalid LIKE 'VOID-%' THEN 'void'
        WHEN document.kind = 'invoice' AND voided.invoice IS NOT NULL THEN 'void'
        WHEN document.status IN ('A', 'B') THEN 'posted'
        WHEN document.status IN ('D', 'E') THEN 'draft'
        ELSE document.status
    END AS status,
    currency.symbol AS currency,
    minor(coalesce(lines.net, 0), currency.symbol) AS net_minor,
    minor(coalesce(lines.tax, 0), currency.symbol) AS tax_minor,
    minor(document.foreigntotal, currency.symbol) AS total_minor,
    coalesce(lines.lines, '[]') AS lines
FROM document
LEFT JOIN netsuite.subsidiary AS subsidiary ON subsidiary.record_id = document.transactionline_subsidiary
LEFT JOIN netsuite.currency AS currency ON currency.record_id = document.currency
LEFT JOIN netsuite.accountingPeriod AS period ON period.record_id = document.postingperiod
LEFT JOIN lines ON lines.transaction = document.record_id
LEFT JOIN voided ON voided.invoice = document.record_id
