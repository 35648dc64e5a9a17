-- A sale that is invoiced by hand, for billing issues the invoices. An unknown company,
-- customer, address, currency or product is sent as -1, so that the server refuses the sale instead of taking it
-- without, or in the user's own company and its currency.
WITH address AS (
    SELECT * FROM tryton."party.address"
    WHERE NOT is_deleted AND active
    QUALIFY row_number() OVER (PARTITION BY party ORDER BY sequence NULLS FIRST, CAST(record_id AS BIGINT)) = 1
),
variant AS (
    SELECT template.code, CAST(product.record_id AS BIGINT) AS id
    FROM tryton."product.product" AS product
    JOIN tryton."product.template" AS template ON template.record_id = CAST(product.template AS VARCHAR)
    WHERE NOT product.is_deleted
    QUALIFY row_number() OVER (PARTITION BY product.template ORDER BY CAST(product.record_id AS BIGINT)) = 1
),
unit AS (
    SELECT CAST(record_id AS BIGINT) AS id FROM tryton."product.uom" WHERE symbol = 'u' AND NOT is_deleted
),
given AS (
    SELECT write_id, currency, generate_subscripts(items, 1) AS place, unnest(items) AS item
    FROM (
        SELECT write_id, currency, from_json(
            lines, '[{"product":"VARCHAR","quantity":"DECIMAL(18,4)","amount_minor":"BIGINT"}]'
        ) AS items
        FROM desired
    )
),
lines AS (
    SELECT
        given.write_id,
        list({
            'type': 'line',
            'sequence': given.place,
            'product': coalesce(variant.id, -1),
            'unit': unit.id,
            'quantity': CAST(given.item.quantity AS VARCHAR),
            'unit_price': CAST(unit_price(given.item.amount_minor, given.item.quantity, given.currency) AS VARCHAR)
        } ORDER BY given.place) AS lines
    FROM given
    LEFT JOIN variant ON variant.code = given.item.product
    LEFT JOIN unit ON true
    GROUP BY given.write_id
)
SELECT
    writes.write_id,
    writes.operation,
    writes.link_id,
    writes.record_id,
    desired.number AS external_id,
    'sale.sale' AS object,
    to_json({
        'reference': writes.number,
        'company': coalesce(CAST(company.record_id AS BIGINT), -1),
        'party': coalesce(CAST(writes.customer AS BIGINT), -1),
        'invoice_address': coalesce(CAST(address.record_id AS BIGINT), -1),
        'shipment_address': coalesce(CAST(address.record_id AS BIGINT), -1),
        'currency': coalesce(CAST(currency.record_id AS BIGINT), -1),
        'sale_date': strftime(writes.ordered_on, '%Y-%m-%d'),
        'payment_term': CAST(term.record_id AS BIGINT),
        'invoice_method': 'manual',
        'shipment_method': 'manual',
        'lines': json_array(json_array('create', lines.lines))
    }) AS body,
    CASE WHEN desired.status = 'confirmed' THEN ['quote', 'confirm', 'process'] ELSE CAST([] AS VARCHAR[]) END AS "then"
FROM writes
JOIN desired ON desired.write_id = writes.write_id
LEFT JOIN lines ON lines.write_id = writes.write_id
LEFT JOIN address ON CAST(address.party AS VARCHAR) = writes.customer
LEFT JOIN tryton."party.party" AS entity ON entity.code = desired.legal_entity
LEFT JOIN tryton."company.company" AS company ON CAST(company.party AS VARCHAR) = entity.record_id
LEFT JOIN tryton."currency.currency" AS currency ON currency.code = desired.currency
LEFT JOIN tryton."account.invoice.payment_term" AS term ON term.name = 'Net 30 days'
WHERE writes.operation = 'create'
UNION ALL
SELECT
    writes.write_id,
    writes.operation,
    writes.link_id,
    writes.record_id,
    desired.number,
    'sale.sale',
    CAST('{}' AS JSON),
    ['void']
FROM writes
JOIN desired ON desired.write_id = writes.write_id
WHERE writes.operation = 'void'
