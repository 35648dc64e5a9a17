-- Only what changed is sent; null clears a field. A new customer belongs to the topmost subsidiary and may be billed in
-- every currency of the account; its address becomes its default billing address, whose line an update names.
WITH home AS (
    SELECT * FROM netsuite.subsidiary
    WHERE NOT is_deleted AND parent IS NULL
    QUALIFY row_number() OVER (ORDER BY CAST(record_id AS BIGINT)) = 1
),
money AS (
    SELECT list({'currency': {'id': record_id}} ORDER BY CAST(record_id AS BIGINT)) AS currencies
    FROM netsuite.currency
    WHERE NOT is_deleted AND isinactive = 'F'
),
address AS (
    SELECT
        writes.write_id,
        to_json({
            'id': held.entityaddressbook_internalid,
            'defaultBilling': CASE WHEN held.entityaddressbook_internalid IS NULL THEN true END,
            'addressBookAddress': {
                'addr1': CASE WHEN writes.street = '' THEN nothing() ELSE to_json(split_part(writes.street, chr(10), 1)) END,
                'addr2': CASE
                    WHEN writes.street IS NULL THEN NULL
                    WHEN contains(writes.street, chr(10))
                        THEN to_json(substr(writes.street, strpos(writes.street, chr(10)) + 1))
                    WHEN held.entityaddress_addr2 IS NOT NULL THEN nothing()
                END,
                'city': CASE WHEN writes.city = '' THEN nothing() ELSE to_json(writes.city) END,
                'zip': CASE WHEN writes.postal_code = '' THEN nothing() ELSE to_json(writes.postal_code) END,
                'country': CASE
                    WHEN writes.country = '' THEN nothing()
                    WHEN writes.country IS NOT NULL THEN to_json({'id': writes.country})
                END
            }
        }) AS line
    FROM writes
    LEFT JOIN netsuite.customer AS held ON held.record_id = writes.record_id
    WHERE coalesce(writes.street, writes.city, writes.postal_code, writes.country) IS NOT NULL
)
SELECT
    writes.write_id,
    writes.operation,
    writes.link_id,
    writes.record_id,
    'CUST-' || coalesce(desired.number, writes.link_id) AS external_id,
    'customer' AS object,
    to_json({
        'entityId': writes.number,
        'companyName': writes.name,
        'isInactive': NOT writes.is_active,
        'email': CASE WHEN writes.email = '' THEN nothing() ELSE to_json(writes.email) END,
        'phone': CASE WHEN writes.phone = '' THEN nothing() ELSE to_json(writes.phone) END,
        'url': CASE WHEN writes.website = '' THEN nothing() ELSE to_json(writes.website) END,
        'custentity_sync_tax_id': CASE WHEN writes.tax_id = '' THEN nothing() ELSE to_json(writes.tax_id) END,
        'subsidiary': CASE WHEN writes.operation = 'create' THEN to_json({'id': home.record_id}) END,
        'currency': CASE WHEN writes.operation = 'create' THEN to_json({'id': home.currency}) END,
        'currencyList': CASE WHEN writes.operation = 'create' THEN to_json({'items': money.currencies}) END,
        'addressBook': CASE WHEN address.line IS NOT NULL THEN to_json({'items': json_array(address.line)}) END
    }) AS body,
    CAST([] AS VARCHAR[]) AS "then"
FROM writes
JOIN desired ON desired.write_id = writes.write_id
LEFT JOIN home ON true
LEFT JOIN money ON true
LEFT JOIN address ON address.write_id = writes.write_id
