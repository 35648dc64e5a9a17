-- Only what changed is sent, children by their ids where there are some; what is cleared is deleted. Whether a customer's documents
-- carry VAT is a tax rule of the party, which follows from the country. The versions that the body was
-- computed from go along, so that the server refuses it where somebody else was faster.
WITH address AS (
    SELECT * FROM tryton."party.address"
    WHERE NOT is_deleted AND active
    QUALIFY row_number() OVER (PARTITION BY party ORDER BY sequence NULLS FIRST, CAST(record_id AS BIGINT)) = 1
),
identifier AS (
    SELECT * FROM tryton."party.identifier"
    WHERE NOT is_deleted AND active AND type IS NULL
    QUALIFY row_number() OVER (PARTITION BY party ORDER BY sequence NULLS FIRST, CAST(record_id AS BIGINT)) = 1
),
mechanism AS (
    SELECT * FROM tryton."party.contact_mechanism"
    WHERE NOT is_deleted AND active
    QUALIFY row_number() OVER (PARTITION BY party, type ORDER BY sequence NULLS FIRST, CAST(record_id AS BIGINT)) = 1
),
wanted AS (
    SELECT write_id, unnest([
        {'type': 'email', 'value': email},
        {'type': 'phone', 'value': phone},
        {'type': 'website', 'value': website}
    ], recursive := true)
    FROM writes
),
contact AS (
    SELECT
        wanted.write_id,
        list(CASE WHEN held.record_id IS NULL
            THEN json_array('create', json_array({'type': wanted.type, 'value': wanted.value}))
            WHEN wanted.value = '' THEN json_array('delete', json_array(CAST(held.record_id AS BIGINT)))
            ELSE json_array('write', json_array(CAST(held.record_id AS BIGINT)), {'value': wanted.value})
        END ORDER BY wanted.type) AS commands,
        map_from_entries(list(('party.contact_mechanism,' || held.record_id, held.version))
            FILTER (held.record_id IS NOT NULL)) AS versions
    FROM wanted
    JOIN writes ON writes.write_id = wanted.write_id
    LEFT JOIN mechanism AS held ON CAST(held.party AS VARCHAR) = writes.record_id AND held.type = wanted.type
    WHERE wanted.value <> '' OR (wanted.value = '' AND held.record_id IS NOT NULL)
    GROUP BY wanted.write_id
)
SELECT
    writes.write_id,
    writes.operation,
    writes.link_id,
    writes.record_id,
    desired.number AS external_id,
    'party.party' AS object,
    to_json({
        'code': writes.number,
        'name': writes.name,
        'active': writes.is_active,
        'customer_tax_rule': CASE WHEN writes.operation = 'create' OR writes.country IS NOT NULL
            THEN CAST(rule.record_id AS BIGINT) END,
        'addresses': CASE
            WHEN writes.operation <> 'create'
                AND coalesce(writes.street, writes.city, writes.postal_code, writes.country) IS NULL THEN NULL
            WHEN address.record_id IS NULL THEN json_array(json_array('create', json_array({
                'street': desired.street,
                'city': desired.city,
                'postal_code': desired.postal_code,
                'country': CAST(country.record_id AS BIGINT)
            })))
            ELSE json_array(json_array('write', json_array(CAST(address.record_id AS BIGINT)), {
                'street': writes.street,
                'city': writes.city,
                'postal_code': writes.postal_code,
                'country': CASE
                    WHEN writes.country = '' THEN nothing()
                    WHEN writes.country IS NOT NULL THEN to_json(CAST(country.record_id AS BIGINT))
                END
            }))
        END,
        'identifiers': CASE
            WHEN writes.tax_id IS NULL OR (writes.tax_id = '' AND identifier.record_id IS NULL) THEN NULL
            WHEN writes.tax_id = ''
                THEN json_array(json_array('delete', json_array(CAST(identifier.record_id AS BIGINT))))
            WHEN identifier.record_id IS NULL
                THEN json_array(json_array('create', json_array({'code': writes.tax_id})))
            ELSE json_array(json_array('write', json_array(CAST(identifier.record_id AS BIGINT)), {
                'code': writes.tax_id
            }))
        END,
        'contact_mechanisms': contact.commands,
        '_timestamp': CASE WHEN writes.operation <> 'create' THEN map_concat(
            map([concat('party.party,', party.record_id)], [party.version]),
            CASE WHEN address.record_id IS NOT NULL
                AND coalesce(writes.street, writes.city, writes.postal_code, writes.country) IS NOT NULL
                THEN map([concat('party.address,', address.record_id)], [address.version]) END,
            CASE WHEN identifier.record_id IS NOT NULL AND writes.tax_id IS NOT NULL
                THEN map([concat('party.identifier,', identifier.record_id)], [identifier.version]) END,
            contact.versions
        ) END
    }) AS body,
    CAST([] AS VARCHAR[]) AS "then"
FROM writes
JOIN desired ON desired.write_id = writes.write_id
LEFT JOIN contact ON contact.write_id = writes.write_id
LEFT JOIN tryton."party.party" AS party ON party.record_id = writes.record_id
LEFT JOIN address ON CAST(address.party AS VARCHAR) = writes.record_id
LEFT JOIN identifier ON CAST(identifier.party AS VARCHAR) = writes.record_id
LEFT JOIN tryton."country.country" AS country ON country.code = desired.country
LEFT JOIN tryton."account.tax.rule" AS rule ON NOT rule.is_deleted AND rule.name = CASE
    WHEN desired.country IN ('DE', 'ES', 'FR', 'IE', 'NL') THEN 'Customers with VAT'
    ELSE 'Customers without VAT'
END
