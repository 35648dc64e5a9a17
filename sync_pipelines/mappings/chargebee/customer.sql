-- A customer is a customer; what Chargebee has no attribute for is in its meta data. Chargebee knows no inactive ones.
SELECT
    record_id,
    version,
    is_deleted,
    record_id AS external_id,
    meta_data ->> 'crm_id' AS counterpart_id,
    coalesce(company, concat_ws(' ', first_name, last_name)) AS label,
    meta_data ->> 'customer_number' AS number,
    coalesce(company, nullif(concat_ws(' ', first_name, last_name), '')) AS name,
    coalesce(vat_number_prefix, '') || nullif(vat_number, '') AS tax_id,
    email,
    phone,
    meta_data ->> 'website' AS website,
    nullif(concat_ws(chr(10), billing_address.line1, billing_address.line2, billing_address.line3), '') AS street,
    billing_address.city AS city,
    billing_address.zip AS postal_code,
    billing_address.country AS country
FROM chargebee.customers
