-- Only what changed is sent; an address goes as a whole, with the parts that only Stripe has. A street's
-- further lines go to line2, which an empty text clears.
SELECT
    writes.write_id,
    writes.operation,
    writes.link_id,
    writes.record_id,
    writes.external_id,
    'customers' AS object,
    to_json({
        'name': writes.name,
        'email': writes.email,
        'phone': writes.phone,
        'address': CASE
            WHEN coalesce(writes.street, writes.city, writes.postal_code, writes.country) IS NOT NULL THEN {
                'line1': split_part(desired.street, chr(10), 1),
                'line2': CASE
                    WHEN contains(desired.street, chr(10)) THEN substr(desired.street, strpos(desired.street, chr(10)) + 1)
                    WHEN current.address.line2 IS NOT NULL THEN ''
                END,
                'city': desired.city,
                'state': current.address.state,
                'postal_code': desired.postal_code,
                'country': desired.country
            }
        END,
        'metadata': {
            'customer_number': writes.number,
            'tax_id': writes.tax_id,
            'website': writes.website
        }
    }) AS body,
    CAST([] AS VARCHAR[]) AS "then"
FROM writes
JOIN desired ON desired.write_id = writes.write_id
LEFT JOIN stripe.customers AS current ON current.record_id = writes.record_id
