-- Only what changed is sent; an empty text clears. A street's further lines go to address2. An active customer's
-- lifecycle stage is customer, a former one's other. A stage moves forward only, and an evangelist counts as active:
-- from any stage that is not known to lie before customer, the present one is cleared first.
WITH stage AS (
    SELECT
        writes.write_id,
        CASE writes.is_active WHEN true THEN 'customer' WHEN false THEN 'other' END AS wanted,
        writes.is_active AND coalesce(current.lifecyclestage, '') NOT IN (
            '', 'subscriber', 'lead', 'marketingqualifiedlead', 'salesqualifiedlead', 'opportunity'
        ) AS is_backwards
    FROM writes
    LEFT JOIN hubspot.companies AS current ON current.record_id = writes.record_id
)
SELECT
    writes.write_id,
    writes.operation,
    writes.link_id,
    writes.record_id,
    writes.external_id,
    'companies' AS object,
    to_json({
        'customer_number': writes.number,
        'name': writes.name,
        'tax_id': writes.tax_id,
        'billing_email': writes.email,
        'phone': writes.phone,
        'website': writes.website,
        'address': split_part(writes.street, chr(10), 1),
        'address2': CASE
            WHEN contains(writes.street, chr(10)) THEN substr(writes.street, strpos(writes.street, chr(10)) + 1)
            WHEN writes.street IS NOT NULL AND current.address2 IS NOT NULL THEN ''
        END,
        'city': writes.city,
        'zip': writes.postal_code,
        'country': writes.country,
        'lifecyclestage': CASE WHEN NOT coalesce(stage.is_backwards, false) THEN stage.wanted END
    }) AS body,
    CASE
        WHEN stage.is_backwards THEN ['lifecyclestage=', 'lifecyclestage=' || stage.wanted]
        ELSE CAST([] AS VARCHAR[])
    END AS "then"
FROM writes
JOIN stage ON stage.write_id = writes.write_id
LEFT JOIN hubspot.companies AS current ON current.record_id = writes.record_id
