-- A customer is a company that carries a customer number, that we made, or that has come further than a lead; it is
-- active as a customer or an evangelist. A company that was merged away shows the id of its survivor.
SELECT
    record_id,
    version,
    is_deleted,
    CASE WHEN is_deleted AND hs_object_id <> record_id THEN hs_object_id END AS merged_into,
    sync_id AS external_id,
    coalesce(name, record_id) AS label,
    hs_updated_by_user_id AS edited_by,
    customer_number AS number,
    name,
    tax_id,
    billing_email AS email,
    phone,
    website,
    nullif(concat_ws(chr(10), address, address2), '') AS street,
    city,
    zip AS postal_code,
    upper(country) AS country,
    coalesce(lifecyclestage IN ('customer', 'evangelist'), false) AS is_active
FROM hubspot.companies
WHERE
    is_deleted
    OR customer_number IS NOT NULL
    OR sync_id IS NOT NULL
    OR coalesce(lifecyclestage, '') NOT IN ('subscriber', 'lead', 'marketingqualifiedlead', 'salesqualifiedlead')
