-- An entitlement is a slot of an organization, one of twelve groups of custom fields, that has a number. Its version is
-- what the slot says, so that a change elsewhere in the organization is none. Days are kept as their midnight in UTC.
WITH organization AS (
    SELECT record_id, is_deleted, name, organization_fields AS said FROM zendesk.organizations
),
slot AS (
    SELECT
        record_id AS organization_id,
        is_deleted,
        name AS organization_name,
        unnest(range(1, 13)) AS slot,
        unnest([
            said.entitlement_1_number, said.entitlement_2_number, said.entitlement_3_number,
            said.entitlement_4_number, said.entitlement_5_number, said.entitlement_6_number,
            said.entitlement_7_number, said.entitlement_8_number, said.entitlement_9_number,
            said.entitlement_10_number, said.entitlement_11_number, said.entitlement_12_number
        ]) AS number,
        unnest([
            said.entitlement_1_product, said.entitlement_2_product, said.entitlement_3_product,
            said.entitlement_4_product, said.entitlement_5_product, said.entitlement_6_product,
            said.entitlement_7_product, said.entitlement_8_product, said.entitlement_9_product,
            said.entitlement_10_product, said.entitlement_11_product, said.entitlement_12_product
        ]) AS product,
        unnest([
            said.entitlement_1_quantity, said.entitlement_2_quantity, said.entitlement_3_quantity,
            said.entitlement_4_quantity, said.entitlement_5_quantity, said.entitlement_6_quantity,
            said.entitlement_7_quantity, said.entitlement_8_quantity, said.entitlement_9_quantity,
            said.entitlement_10_quantity, said.entitlement_11_quantity, said.entitlement_12_quantity
        ]) AS quantity,
        unnest([
            said.entitlement_1_start_on, said.entitlement_2_start_on, said.entitlement_3_start_on,
            said.entitlement_4_start_on, said.entitlement_5_start_on, said.entitlement_6_start_on,
            said.entitlement_7_start_on, said.entitlement_8_start_on, said.entitlement_9_start_on,
            said.entitlement_10_start_on, said.entitlement_11_start_on, said.entitlement_12_start_on
        ]) AS start_on,
        unnest([
            said.entitlement_1_end_on, said.entitlement_2_end_on, said.entitlement_3_end_on,
            said.entitlement_4_end_on, said.entitlement_5_end_on, said.entitlement_6_end_on,
            said.entitlement_7_end_on, said.entitlement_8_end_on, said.entitlement_9_end_on,
            said.entitlement_10_end_on, said.entitlement_11_end_on, said.entitlement_12_end_on
        ]) AS end_on
    FROM organization
)
SELECT
    organization_id || '/' || slot AS record_id,
    concat_ws(
        '|',
        number,
        coalesce(product, ''),
        coalesce(CAST(quantity AS VARCHAR), ''),
        coalesce(left(start_on, 10), ''),
        coalesce(left(end_on, 10), '')
    ) AS version,
    is_deleted,
    concat_ws(' for ', product, organization_name) AS label,
    trim(number) AS number,
    organization_id AS customer,
    product,
    quantity,
    left(start_on, 10) AS start_on,
    left(end_on, 10) AS end_on
FROM slot
WHERE trim(number) <> ''
