-- A customer is an organization. Its external id is ours, or what an import put there: the id of its record in the CRM.
SELECT
    record_id,
    version,
    is_deleted,
    external_id,
    external_id AS counterpart_id,
    name AS label,
    organization_fields.customer_number AS number,
    name,
    upper(organization_fields.customer_country) AS country,
    organization_fields.is_active_customer AS is_active
FROM zendesk.organizations
