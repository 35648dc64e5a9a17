-- An order with the amounts of its lines; one that is not confirmed yet is blocked for delivery.
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
        write_id,
        list({
            'MATNR': item.product,
            'KWMENG': regexp_replace(CAST(item.quantity AS VARCHAR), '\.?0+$', ''),
            'NETWR': regexp_replace(CAST(major(item.amount_minor, currency) AS VARCHAR), '\.?0+$', '')
        } ORDER BY place) AS lines
    FROM given
    GROUP BY write_id
)
SELECT
    writes.write_id,
    writes.operation,
    writes.link_id,
    writes.record_id,
    desired.number AS external_id,
    'ORDERS' AS object,
    to_json({
        'BSTKD': desired.number,
        'KUNNR': desired.customer,
        'BUKRS': desired.legal_entity,
        'AUDAT': strftime(desired.ordered_on, '%Y-%m-%d'),
        'WAERK': desired.currency,
        'LIFSK': CASE WHEN desired.status <> 'confirmed' THEN '01' END,
        'items': lines.lines
    }) AS body,
    CAST([] AS VARCHAR[]) AS "then"
FROM writes
JOIN desired ON desired.write_id = writes.write_id
JOIN lines ON lines.write_id = writes.write_id
WHERE writes.operation = 'create'
