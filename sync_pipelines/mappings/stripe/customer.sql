-- A customer is a customer; what Stripe has no field for is in its metadata. Stripe knows no inactive ones.
SELECT
    record_id,
    version,
    is_deleted,
    metadata.sync_id AS external_id,
    metadata.crm_id AS counterpart_id,
    name AS label,
    metadata.customer_number AS number,
    name,
    metadata.tax_id AS tax_id,
    email,
    phone,
    metadata.website AS website,
    nullif(concat_ws(chr(10), address.line1, address.line2), '') AS street,
    address.city AS city,
    address.postal_code AS postal_code,
    upper(address.country) AS country
FROM stripe.customers
