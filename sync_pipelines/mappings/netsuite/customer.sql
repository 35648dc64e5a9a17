-- A customer of the books, with its default billing address. Its number is what NetSuite calls its id; people may
-- have a name of their own only there.
SELECT
    customer.record_id,
    customer.version,
    customer.is_deleted,
    coalesce(customer.companyname, customer.entityid) AS label,
    customer.entityid AS number,
    coalesce(customer.companyname, customer.entityid) AS name,
    customer.custentity_sync_tax_id AS tax_id,
    customer.email,
    customer.phone,
    customer.url AS website,
    nullif(concat_ws(chr(10), customer.entityaddress_addr1, customer.entityaddress_addr2), '') AS street,
    customer.entityaddress_city AS city,
    customer.entityaddress_zip AS postal_code,
    customer.entityaddress_country AS country,
    customer.isinactive = 'F' AS is_active
FROM netsuite.customer AS customer
