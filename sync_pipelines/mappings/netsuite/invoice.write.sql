-- An invoice as billing issued it, a credit as a credit memo with its amounts turned round. It keeps billing's number.
-- Taxes are billing's own, spread over the lines so that their sum is exact: tax details override, with the tax code
-- VAT. Which invoice a credit pays is decided in NetSuite, and never by itself. A document that the books take in
-- another period names that period. An unknown customer, product, tax code or period is sent as -1, so that NetSuite
-- refuses the document.
WITH document AS (
    SELECT
        desired.*,
        CASE WHEN desired.kind = 'credit' THEN -1 ELSE 1 END AS way,
        coalesce(subsidiary.record_id, '-1') AS subsidiary_id,
        coalesce(currency.record_id, '-1') AS currency_id
    FROM desired
    LEFT JOIN netsuite.subsidiary AS subsidiary
        ON coalesce(subsidiary.externalid, subsidiary.name) = desired.legal_entity AND NOT subsidiary.is_deleted
    LEFT JOIN netsuite.currency AS currency ON currency.symbol = desired.currency AND NOT currency.is_deleted
),
given AS (
    SELECT write_id, way, currency, tax_minor, net_minor, generate_subscripts(items, 1) AS place, unnest(items) AS item
    FROM (
        SELECT write_id, way, currency, tax_minor, net_minor, from_json(
            lines, '[{"product":"VARCHAR","quantity":"DECIMAL(18,4)","amount_minor":"BIGINT"}]'
        ) AS items
        FROM document
    )
),
summed AS (
    SELECT *, CAST(sum(item.amount_minor) OVER (PARTITION BY write_id ORDER BY place) AS HUGEINT) AS so_far
    FROM given
),
taxed AS (
    SELECT
        *,
        CASE
            WHEN net_minor = 0 THEN CASE WHEN place = 1 THEN tax_minor ELSE 0 END
            ELSE (tax_minor * so_far) // net_minor - (tax_minor * (so_far - item.amount_minor)) // net_minor
        END AS line_tax_minor
    FROM summed
),
lines AS (
    SELECT
        taxed.write_id,
        list({
            'item': {'id': coalesce(product.record_id, '-1')},
            'quantity': taxed.way * taxed.item.quantity,
            'price': {'id': '-1'},
            'rate': unit_price(taxed.item.amount_minor, taxed.item.quantity, taxed.currency),
            'amount': major(taxed.way * taxed.item.amount_minor, taxed.currency),
            'taxDetailsReference': CASE WHEN taxed.tax_minor <> 0 THEN CAST(taxed.place AS VARCHAR) END
        } ORDER BY taxed.place) AS lines,
        list({
            'taxDetailsReference': CAST(taxed.place AS VARCHAR),
            'taxType': {'id': coalesce(code.taxtype, '-1')},
            'taxCode': {'id': coalesce(code.record_id, '-1')},
            'taxRate': code.rate,
            'taxBasis': major(taxed.way * taxed.item.amount_minor, taxed.currency),
            'taxAmount': major(CAST(taxed.way * taxed.line_tax_minor AS BIGINT), taxed.currency)
        } ORDER BY taxed.place) FILTER (taxed.line_tax_minor <> 0) AS taxes
    FROM taxed
    LEFT JOIN netsuite.serviceSaleItem AS product
        ON product.itemid = taxed.item.product AND NOT product.is_deleted
    LEFT JOIN netsuite.salesTaxItem AS code ON code.itemid = 'VAT' AND NOT code.is_deleted
    GROUP BY taxed.write_id
)
SELECT
    writes.write_id,
    writes.operation,
    writes.link_id,
    writes.record_id,
    CASE document.way WHEN -1 THEN 'CM-' ELSE 'INV-' END || document.number AS external_id,
    CASE document.way WHEN -1 THEN 'creditMemo' ELSE 'invoice' END AS object,
    to_json({
        'entity': {'id': coalesce(writes.customer, '-1')},
        'subsidiary': {'id': document.subsidiary_id},
        'currency': {'id': document.currency_id},
        'tranId': writes.number,
        'tranDate': strftime(writes.issued_on, '%Y-%m-%d'),
        'postingPeriod': CASE WHEN writes.posting_on IS NOT NULL
            THEN to_json({'id': coalesce(period.record_id, '-1')}) END,
        'autoApply': CASE document.way WHEN -1 THEN false END,
        'item': {'items': lines.lines},
        'taxDetailsOverride': CASE WHEN lines.taxes IS NOT NULL THEN true END,
        'taxDetails': CASE WHEN lines.taxes IS NOT NULL THEN to_json({'items': lines.taxes}) END
    }) AS body,
    CAST([] AS VARCHAR[]) AS "then"
FROM writes
JOIN document ON document.write_id = writes.write_id
LEFT JOIN lines ON lines.write_id = writes.write_id
LEFT JOIN netsuite.accountingPeriod AS period
    ON writes.posting_on BETWEEN period.startdate AND period.enddate AND NOT period.is_deleted
    AND period.isquarter = 'F' AND period.isyear = 'F' AND period.isadjust = 'F'
WHERE writes.operation = 'create'
UNION ALL
SELECT
    writes.write_id,
    writes.operation,
    writes.link_id,
    writes.record_id,
    CASE document.way WHEN -1 THEN 'CM-' ELSE 'INV-' END || document.number,
    CASE document.way WHEN -1 THEN 'creditMemo' ELSE 'invoice' END,
    CAST('{}' AS JSON),
    ['void']
FROM writes
JOIN document ON document.write_id = writes.write_id
WHERE writes.operation = 'void'
