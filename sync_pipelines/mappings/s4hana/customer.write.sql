-- A new customer may be sold to by every legal entity: each has a sales area under its code, with distribution channel 10
-- and division 00. Of an update only what changed is sent, what is inside of the partner by its own key; its name always
-- goes along, for it carries the version that the update was made from. A tax number's type is the country's first.
-- A name of more than 40 letters is broken at a blank; where there is none, S/4HANA refuses it.
WITH area AS (
    SELECT list({
        'SalesOrganization': code,
        'DistributionChannel': '10',
        'Division': '00',
        'Currency': currency
    } ORDER BY code) AS areas
    FROM legal_entity
),
held AS (
    SELECT
        record_id,
        to_BusinessPartnerAddress.results[1] AS address,
        to_BusinessPartnerTax.results[1] AS tax
    FROM s4hana."A_BusinessPartner"
),
said AS (
    SELECT
        writes.*,
        desired.number AS known_number,
        desired.country AS known_country,
        CASE WHEN length(desired.name) > 40 AND regexp_matches(desired.name, '^.{1,40} .')
            THEN regexp_extract(desired.name, '^(.{1,40}) (.+)$', 1) ELSE desired.name END AS first_name,
        CASE WHEN length(desired.name) > 40 AND regexp_matches(desired.name, '^.{1,40} .')
            THEN regexp_extract(desired.name, '^(.{1,40}) (.+)$', 2) ELSE '' END AS second_name,
        split_part(writes.street, chr(10), 1) AS first_line,
        CASE
            WHEN writes.street IS NULL THEN NULL
            WHEN contains(writes.street, chr(10)) THEN substr(writes.street, strpos(writes.street, chr(10)) + 1)
            ELSE ''
        END AS second_line,
        held.address,
        held.tax,
        held.address.to_EmailAddress.results[1] AS held_email,
        held.address.to_PhoneNumber.results[1] AS held_phone
    FROM writes
    JOIN desired ON desired.write_id = writes.write_id
    LEFT JOIN held ON held.record_id = writes.record_id
),
contact AS (
    SELECT
        *,
        CASE
            WHEN email IS NULL OR (email = '' AND held_email IS NULL) THEN NULL
            WHEN held_email IS NULL THEN json_array({
                'method': CASE WHEN address IS NOT NULL THEN 'POST' END, 'EmailAddress': email
            })
            ELSE json_array({
                'method': CASE WHEN email = '' THEN 'DELETE' ELSE 'PATCH' END,
                'Person': held_email.Person,
                'OrdinalNumber': held_email.OrdinalNumber,
                'EmailAddress': nullif(email, '')
            })
        END AS emails,
        CASE
            WHEN phone IS NULL OR (phone = '' AND held_phone IS NULL) THEN NULL
            WHEN held_phone IS NULL THEN json_array({
                'method': CASE WHEN address IS NOT NULL THEN 'POST' END, 'PhoneNumber': phone
            })
            ELSE json_array({
                'method': CASE WHEN phone = '' THEN 'DELETE' ELSE 'PATCH' END,
                'Person': held_phone.Person,
                'OrdinalNumber': held_phone.OrdinalNumber,
                'PhoneNumber': nullif(phone, '')
            })
        END AS phones
    FROM said
)
SELECT
    contact.write_id,
    contact.operation,
    contact.link_id,
    contact.record_id,
    coalesce(contact.known_number, right(contact.link_id, 16)) AS external_id,
    'A_BusinessPartner' AS object,
    to_json({
        'BusinessPartnerCategory': CASE WHEN contact.operation = 'create' THEN '2' END,
        'OrganizationBPName1': contact.first_name,
        'OrganizationBPName2': contact.second_name,
        'BusinessPartnerIDByExtSystem': contact.number,
        'BusinessPartnerIsBlocked': NOT contact.is_active,
        'to_BusinessPartnerAddress': CASE WHEN coalesce(
            contact.street, contact.city, contact.postal_code, contact.country,
            CAST(contact.emails AS VARCHAR), CAST(contact.phones AS VARCHAR)
        ) IS NOT NULL THEN json_array({
            'method': CASE
                WHEN contact.operation = 'create' THEN NULL
                WHEN contact.address IS NULL THEN 'POST'
                ELSE 'PATCH'
            END,
            'AddressID': contact.address.AddressID,
            'StreetName': contact.first_line,
            'StreetSuffixName': contact.second_line,
            'CityName': contact.city,
            'PostalCode': contact.postal_code,
            'Country': CASE WHEN contact.address IS NULL THEN contact.known_country ELSE contact.country END,
            'to_EmailAddress': contact.emails,
            'to_PhoneNumber': contact.phones
        }) END,
        'to_BusinessPartnerTax': CASE
            WHEN contact.tax_id IS NULL OR (contact.tax_id = '' AND contact.tax IS NULL) THEN NULL
            ELSE json_array({
                'method': CASE
                    WHEN contact.operation = 'create' THEN NULL
                    WHEN contact.tax IS NULL THEN 'POST'
                    WHEN contact.tax_id = '' THEN 'DELETE'
                    ELSE 'PATCH'
                END,
                'BPTaxType': coalesce(contact.tax.BPTaxType, contact.known_country || '0'),
                'BPTaxNumber': nullif(contact.tax_id, '')
            })
        END,
        'to_BusinessPartnerRole': CASE WHEN contact.operation = 'create' THEN json_array(
            {'BusinessPartnerRole': 'FLCU00'}, {'BusinessPartnerRole': 'FLCU01'}
        ) END,
        'to_Customer': CASE WHEN contact.operation = 'create' THEN to_json({'to_CustomerSalesArea': area.areas}) END
    }) AS body,
    CAST([] AS VARCHAR[]) AS "then"
FROM contact
LEFT JOIN area ON true
