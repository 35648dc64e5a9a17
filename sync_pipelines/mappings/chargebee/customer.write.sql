-- Only what changed is sent. An address goes as a whole, with the parts that only Chargebee has, and a street on its
-- three lines; meta data go as a whole too, with the keys that are somebody else's. A prefix is part of the tax id.
SELECT
    writes.write_id,
    writes.operation,
    writes.link_id,
    writes.record_id,
    writes.external_id,
    'customers' AS object,
    to_json({
        'company': writes.name,
        'email': writes.email,
        'phone': writes.phone,
        'vat_number': writes.tax_id,
        'vat_number_prefix': CASE
            WHEN writes.tax_id IS NOT NULL AND current.vat_number_prefix IS NOT NULL THEN ''
        END,
        'billing_address': CASE
            WHEN coalesce(writes.street, writes.city, writes.postal_code, writes.country) IS NOT NULL THEN {
                'line1': split_part(desired.street, chr(10), 1),
                'line2': CASE
                    WHEN contains(desired.street, chr(10)) THEN split_part(desired.street, chr(10), 2)
                    WHEN current.billing_address.line2 IS NOT NULL THEN ''
                END,
                'line3': CASE
                    WHEN len(string_split(desired.street, chr(10))) > 2
                        THEN array_to_string(string_split(desired.street, chr(10))[3:], chr(10))
                    WHEN current.billing_address.line3 IS NOT NULL THEN ''
                END,
                'city': desired.city,
                'state': current.billing_address.state,
                'state_code': current.billing_address.state_code,
                'zip': desired.postal_code,
                'country': desired.country
            }
        END,
        'meta_data': CASE
            WHEN coalesce(writes.number, writes.website) IS NOT NULL THEN json_merge_patch(
                coalesce(current.meta_data, CAST('{}' AS JSON)),
                CASE
                    WHEN writes.number IS NOT NULL THEN json_object('customer_number', writes.number) ELSE '{}'
                END,
                CASE WHEN writes.website IS NOT NULL THEN json_object('website', writes.website) ELSE '{}' END
            )
        END
    }) AS body,
    CAST([] AS VARCHAR[]) AS "then"
FROM writes
JOIN desired ON desired.write_id = writes.write_id
LEFT JOIN chargebee.customers AS current ON current.record_id = writes.record_id
