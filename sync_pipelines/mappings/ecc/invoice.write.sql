-- Billing's number is the document's reference. A credit goes with positive amounts, as SAP has them; the tax goes as a
-- sum, as billing computed it.
WITH money AS (
    SELECT *, CASE WHEN kind = 'credit' THEN -1 ELSE 1 END AS way FROM desired
),
given AS (
    SELECT write_id, currency, way, generate_subscripts(items, 1) AS place, unnest(items) AS item
    FROM (
        SELECT write_id, currency, way, from_json(
            lines, '[{"product":"VARCHAR","quantity":"DECIMAL(18,4)","amount_minor":"BIGINT"}]'
        ) AS items
        FROM money
    )
),
lines AS (
    SELECT
        write_id,
        list({
            'MATNR': item.product,
            'FKIMG': regexp_replace(CAST(way * item.quantity AS VARCHAR), '\.?0+$', ''),
            'NETWR': regexp_replace(CAST(major(way * item.amount_minor, currency) AS VARCHAR), '\.?0+$', '')
        } ORDER BY place) AS lines
    FROM given
    GROUP BY write_id
)
SELECT
    writes.write_id,
    writes.operation,
    writes.link_id,
    writes.record_id,
    money.number AS external_id,
    'INVOIC' AS object,
    to_json({
        'XBLNR': money.number,
        'VBTYP': CASE WHEN money.kind = 'credit' THEN 'O' ELSE 'M' END,
        'KUNNR': money.customer,
        'BUKRS': money.legal_entity,
        'FKDAT': strftime(money.issued_on, '%Y-%m-%d'),
        'BUDAT': strftime(writes.posting_on, '%Y-%m-%d'),
        'WAERK': money.currency,
        'MWSBP': regexp_replace(CAST(major(money.way * money.tax_minor, money.currency) AS VARCHAR), '\.?0+$', ''),
        'items': lines.lines
    }) AS body,
    CAST([] AS VARCHAR[]) AS "then"
FROM writes
JOIN money ON money.write_id = writes.write_id
JOIN lines ON lines.write_id = writes.write_id
WHERE writes.operation = 'create'
