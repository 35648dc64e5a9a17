-- An organization that is a customer, with its first address and tax number. The external number is the one that the other
-- systems know; a name of more than 40 letters goes on in the second name.
WITH partner AS (
    SELECT
        *,
        concat_ws(' ', nullif(OrganizationBPName1, ''), nullif(OrganizationBPName2, '')) AS name,
        to_BusinessPartnerAddress.results[1] AS address,
        to_BusinessPartnerTax.results[1] AS tax
    FROM s4hana."A_BusinessPartner"
    WHERE BusinessPartnerCategory = '2' AND Customer <> ''
)
SELECT
    record_id,
    version,
    is_deleted,
    name AS label,
    nullif(BusinessPartnerIDByExtSystem, '') AS number,
    name,
    nullif(tax.BPTaxNumber, '') AS tax_id,
    nullif(address.to_EmailAddress.results[1].EmailAddress, '') AS email,
    nullif(address.to_PhoneNumber.results[1].PhoneNumber, '') AS phone,
    nullif(concat_ws(chr(10), nullif(address.StreetName, ''), nullif(address.StreetSuffixName, '')), '') AS street,
    nullif(address.CityName, '') AS city,
    nullif(address.PostalCode, '') AS postal_code,
    nullif(address.Country, '') AS country,
    NOT (BusinessPartnerIsBlocked OR IsMarkedForArchiving) AS is_active
FROM partner
