-- A new entitlement goes to a free slot of its organization, the first new one to the first free one; where none is free
-- nothing is written. One that is there stays in its slot, also when it should belong to another customer.
WITH fresh AS (
    SELECT write_id, row_number() OVER (PARTITION BY customer ORDER BY number, write_id) AS place
    FROM writes
    WHERE operation = 'create'
),
free AS (
    SELECT organization_id, slot, row_number() OVER (PARTITION BY organization_id ORDER BY slot) AS place
    FROM (
        SELECT record_id AS organization_id, unnest(range(1, 13)) AS slot, to_json(organization_fields) AS fields
        FROM zendesk.organizations
        WHERE NOT is_deleted
    )
    WHERE coalesce(trim(fields ->> ('entitlement_' || slot || '_number')), '') = ''
),
placed AS (
    SELECT writes.*, coalesce(CAST(free.slot AS VARCHAR), split_part(writes.record_id, '/', 2)) AS slot
    FROM writes
    LEFT JOIN fresh ON fresh.write_id = writes.write_id
    LEFT JOIN free ON free.organization_id = writes.customer AND free.place = fresh.place
),
named AS (
    SELECT *, 'entitlement_' || slot || '_' AS prefix FROM placed
)
SELECT
    write_id,
    operation,
    link_id,
    record_id,
    CASE WHEN operation = 'create' THEN concat_ws('/', customer, slot, number) ELSE external_id END AS external_id,
    'organizations' AS object,
    to_json({
        'organization_fields': map(
            [prefix || 'number', prefix || 'product', prefix || 'quantity', prefix || 'start_on', prefix || 'end_on'],
            [
                to_json(number),
                to_json(product),
                to_json(quantity),
                to_json(start_on),
                CASE
                    WHEN end_on IS NULL AND (operation = 'create' OR list_contains(cleared, 'end_on')) THEN nothing()
                    ELSE to_json(end_on)
                END
            ]
        )
    }) AS body,
    CAST([] AS VARCHAR[]) AS "then"
FROM named
WHERE slot IS NOT NULL
