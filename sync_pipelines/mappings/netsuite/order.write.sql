-- A sales order that waits for its fulfilment, or for approval while the deal is open. Amounts are the line's own (price
-- level -1, Custom). An unknown customer or product is sent as -1, so that NetSuite refuses the order.
WITH given AS (
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
            'item': {'id': coalesce(product.record_id, '-1')},
            'quantity': given.item.quantity,
            'price': {'id': '-1'},
            'rate': unit_price(given.item.amount_minor, given.item.quantity, given.currency),
            'amount': major(given.item.amount_minor, given.currency)
        } ORDER BY given.place) AS lines
    FROM given
    LEFT JOIN netsuite.serviceSaleItem AS product
        ON product.itemid = given.item.product AND NOT product.is_deleted
    GROUP BY given.write_id
)
SELECT
    writes.write_id,
    writes.operation,
    writes.link_id,
    writes.record_id,
    'SO-' || desired.number AS external_id,
    'salesOrder' AS object,
    to_json({
        'entity': {'id': coalesce(writes.customer, '-1')},
        'subsidiary': {'id': coalesce(subsidiary.record_id, '-1')},
        'currency': {'id': coalesce(currency.record_id, '-1')},
        'tranDate': strftime(writes.ordered_on, '%Y-%m-%d'),
        'otherRefNum': writes.number,
        'orderStatus': {'id': CASE WHEN desired.status = 'confirmed' THEN 'B' ELSE 'A' END},
        'item': {'items': lines.lines}
    }) AS body,
    CAST([] AS VARCHAR[]) AS "then"
FROM writes
JOIN desired ON desired.write_id = writes.write_id
LEFT JOIN lines ON lines.write_id = writes.write_id
LEFT JOIN netsuite.subsidiary AS subsidiary
    ON coalesce(subsidiary.externalid, subsidiary.name) = desired.legal_entity AND NOT subsidiary.is_deleted
LEFT JOIN netsuite.currency AS currency ON currency.symbol = desired.currency AND NOT currency.is_deleted
WHERE writes.operation = 'create'
UNION ALL
SELECT
    writes.write_id,
    writes.operation,
    writes.link_id,
    writes.record_id,
    'SO-' || desired.number,
    'salesOrder',
    CAST('{}' AS JSON),
    ['void']
FROM writes
JOIN desired ON desired.write_id = writes.write_id
WHERE writes.operation = 'void'
