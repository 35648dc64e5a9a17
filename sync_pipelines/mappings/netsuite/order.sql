-- An order is a sales order; the number that the deal was given is what NetSuite calls the customer's purchase order.
-- Lines have the opposite sign of what they add to the order.
WITH lines AS (
    SELECT
        line.transaction,
        sum(-line.foreignamount) AS net,
        CAST(to_json(list({
            'product': item.itemid,
            'quantity': regexp_replace(CAST(-line.quantity AS VARCHAR), '\.?0+$', ''),
            'amount_minor': minor(-line.foreignamount, currency.symbol)
        } ORDER BY line.linesequencenumber)) AS VARCHAR) AS lines
    FROM netsuite.transactionLine AS line
    JOIN netsuite.salesOrder AS sale ON sale.record_id = line.transaction
    JOIN netsuite.currency AS currency ON currency.record_id = sale.currency
    LEFT JOIN netsuite.serviceSaleItem AS item ON item.record_id = line.item
    WHERE line.taxline = 'F' AND NOT line.is_deleted
    GROUP BY line.transaction
)
SELECT
    sale.record_id,
    sale.version,
    sale.is_deleted,
    coalesce(sale.otherrefnum, sale.tranid) AS label,
    'netsuite employee ' || sale.lastmodifiedby AS edited_by,
    coalesce(sale.otherrefnum, sale.tranid) AS correlation_id,
    coalesce(sale.otherrefnum, sale.tranid) AS number,
    coalesce(subsidiary.externalid, subsidiary.name) AS legal_entity,
    sale.entity AS customer,
    sale.trandate AS ordered_on,
    CASE
        WHEN sale.status = 'A' THEN 'open'
        WHEN sale.status IN ('C', 'H') THEN 'cancelled'
        WHEN sale.status IN ('B', 'D', 'E', 'F', 'G') THEN 'confirmed'
        ELSE sale.status
    END AS status,
    currency.symbol AS currency,
    minor(coalesce(lines.net, 0), currency.symbol) AS net_minor,
    coalesce(lines.lines, '[]') AS lines
FROM netsuite.salesOrder AS sale
LEFT JOIN netsuite.subsidiary AS subsidiary ON subsidiary.record_id = sale.transactionline_subsidiary
LEFT JOIN netsuite.currency AS currency ON currency.record_id = sale.currency
LEFT JOIN lines ON lines.transaction = sale.record_id
