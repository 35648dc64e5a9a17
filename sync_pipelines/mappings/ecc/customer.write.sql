-- A customer goes as a whole: what did not change is taken from what the books have. Without a number the ERP gives it
-- one. What is cleared, or blank, is blank there afterwards. A phone number that is too long goes as its digits alone. The
-- number of a customer that is there never changes, for SAP knows it by that: alone it is not sent.
WITH given AS (
    SELECT
        writes.write_id,
        writes.operation,
        writes.link_id,
        writes.record_id,
        writes.number,
        held.EXTID,
        held.AUFSD,
        held.LOEVM,
        coalesce(writes.name, desired.name) AS name,
        coalesce(writes.tax_id, held.STCEG) AS tax_id,
        coalesce(writes.email, held.SMTP_ADDR) AS email,
        coalesce(writes.phone, held.TELF1) AS phone,
        coalesce(writes.street, concat_ws(chr(10), held.STRAS, held.STR_SUPPL1)) AS street,
        coalesce(writes.city, held.ORT01) AS city,
        coalesce(writes.postal_code, held.PSTLZ) AS postal_code,
        coalesce(writes.country, held.LAND1) AS country,
        coalesce(writes.is_active, held.AUFSD IS NULL AND held.LOEVM IS NULL) AS is_active
    FROM writes
    JOIN desired ON desired.write_id = writes.write_id
    LEFT JOIN ecc.DEBMAS AS held ON held.record_id = writes.record_id
    WHERE writes.operation = 'create' OR coalesce(
        writes.name, writes.tax_id, writes.email, writes.phone, writes.street, writes.city, writes.postal_code,
        writes.country, CAST(writes.is_active AS VARCHAR)
    ) IS NOT NULL
)
SELECT
    write_id,
    operation,
    link_id,
    record_id,
    link_id AS external_id,
    'DEBMAS' AS object,
    to_json({
        'KUNNR': CASE WHEN operation = 'create' THEN number END,
        'NAME1': rtrim(substr(name, 1, 35)),
        'NAME2': nullif(substr(name, 36), ''),
        'STRAS': nullif(split_part(street, chr(10), 1), ''),
        'STR_SUPPL1': CASE WHEN contains(street, chr(10)) THEN substr(street, strpos(street, chr(10)) + 1) END,
        'ORT01': nullif(city, ''),
        'PSTLZ': nullif(postal_code, ''),
        'LAND1': nullif(country, ''),
        'STCEG': nullif(tax_id, ''),
        'TELF1': nullif(CASE WHEN length(phone) > 16 THEN regexp_replace(phone, '[^0-9+]', '', 'g') ELSE phone END, ''),
        'SMTP_ADDR': nullif(email, ''),
        'AUFSD': CASE WHEN NOT is_active THEN coalesce(AUFSD, '01') END,
        'LOEVM': CASE WHEN NOT is_active THEN LOEVM END,
        'EXTID': EXTID
    }) AS body,
    CAST([] AS VARCHAR[]) AS "then"
FROM given
