-- A new item is sold by every subsidiary and earns on the account 4000; its prices are set in NetSuite.
WITH home AS (
    SELECT * FROM netsuite.subsidiary
    WHERE NOT is_deleted AND parent IS NULL
    QUALIFY row_number() OVER (ORDER BY CAST(record_id AS BIGINT)) = 1
),
income AS (
    SELECT * FROM netsuite.account WHERE acctnumber = '4000' AND NOT is_deleted
)
SELECT
    writes.write_id,
    writes.operation,
    writes.link_id,
    writes.record_id,
    'ITEM-' || desired.code AS external_id,
    'serviceSaleItem' AS object,
    to_json({
        'itemId': writes.code,
        'displayName': writes.name,
        'salesDescription': CASE WHEN writes.description = '' THEN nothing() ELSE to_json(writes.description) END,
        'isInactive': NOT writes.is_active,
        'subsidiary': CASE WHEN writes.operation = 'create'
            THEN to_json({'items': json_array({'id': home.record_id})}) END,
        'includeChildren': CASE WHEN writes.operation = 'create' THEN true END,
        'incomeAccount': CASE WHEN writes.operation = 'create' THEN to_json({'id': coalesce(income.record_id, '-1')}) END
    }) AS body,
    CAST([] AS VARCHAR[]) AS "then"
FROM writes
JOIN desired ON desired.write_id = writes.write_id
LEFT JOIN home ON true
LEFT JOIN income ON true
