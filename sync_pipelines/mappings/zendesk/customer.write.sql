-- Only what changed is sent; a custom field that is not named stays as it is.
SELECT
    writes.write_id,
    writes.operation,
    writes.link_id,
    writes.record_id,
    writes.external_id,
    'organizations' AS object,
    to_json({
        'name': writes.name,
        'organization_fields': {
            'customer_number': writes.number,
            'customer_country': writes.country,
            'is_active_customer': writes.is_active
        }
    }) AS body,
    CAST([] AS VARCHAR[]) AS "then"
FROM writes
