-- A customer is a party that is neither the company itself nor one of its employees. Of several addresses,
-- identifiers or contact mechanisms the first active one counts, in Tryton's own order.
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
)
SELECT
    party.record_id,
    party.version,
    party.is_deleted,
    CAST(party.replaced_by AS VARCHAR) AS merged_into,
    party.name AS label,
    'tryton user ' || coalesce(party.write_uid, party.create_uid) AS edited_by,
    party.code AS number,
    party.name,
    identifier.code AS tax_id,
    email.value AS email,
    phone.value AS phone,
    website.value AS website,
    address.street,
    address.city,
    address.postal_code,
    country.code AS country,
    party.active AS is_active
FROM tryton."party.party" AS party
LEFT JOIN address ON CAST(address.party AS VARCHAR) = party.record_id
LEFT JOIN tryton."country.country" AS country ON country.record_id = CAST(address.country AS VARCHAR)
LEFT JOIN identifier ON CAST(identifier.party AS VARCHAR) = party.record_id
LEFT JOIN mechanism AS email ON CAST(email.party AS VARCHAR) = party.record_id AND email.type = 'email'
LEFT JOIN mechanism AS phone ON CAST(phone.party AS VARCHAR) = party.record_id AND phone.type = 'phone'
LEFT JOIN mechanism AS website ON CAST(website.party AS VARCHAR) = party.record_id AND website.type = 'website'
LEFT JOIN tryton."company.company" AS company ON CAST(company.party AS VARCHAR) = party.record_id
LEFT JOIN tryton."company.employee" AS employee ON CAST(employee.party AS VARCHAR) = party.record_id
WHERE company.record_id IS NULL AND employee.record_id IS NULL
