-- A customer of the books. A name of more than 35 characters goes on in NAME2; a blank where it was cut is no part of
-- either. One that is blocked for orders, or to be deleted, is no longer active.
SELECT
    customer.record_id,
    customer.version,
    customer.is_deleted,
    customer.NAME1 AS label,
    customer.EXTID AS external_id,
    customer.KUNNR AS number,
    CASE
        WHEN customer.NAME2 IS NULL THEN customer.NAME1
        WHEN length(customer.NAME1) < 35 THEN customer.NAME1 || ' ' || customer.NAME2
        ELSE customer.NAME1 || customer.NAME2
    END AS name,
    customer.STCEG AS tax_id,
    customer.SMTP_ADDR AS email,
    customer.TELF1 AS phone,
    nullif(concat_ws(chr(10), customer.STRAS, customer.STR_SUPPL1), '') AS street,
    customer.ORT01 AS city,
    customer.PSTLZ AS postal_code,
    customer.LAND1 AS country,
    customer.AUFSD IS NULL AND customer.LOEVM IS NULL AS is_active
FROM ecc.DEBMAS AS customer
