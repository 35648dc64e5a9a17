-- Only what changed is sent; a field that is not named stays as it is, and an empty text clears.
SELECT
    writes.write_id,
    writes.operation,
    writes.link_id,
    writes.record_id,
    writes.external_id,
    'Company' AS object,
    to_json({
        'Name': writes.name,
        'Customer_Number__gc': writes.number,
        'Country__gc': writes.country,
        'Is_Active_Customer__gc': writes.is_active
    }) AS body,
    CAST([] AS VARCHAR[]) AS "then"
FROM writes
