-- A product is a template; its only variant carries the description.
WITH variant AS (
    SELECT * FROM tryton."product.product"
    WHERE NOT is_deleted
    QUALIFY row_number() OVER (PARTITION BY template ORDER BY CAST(record_id AS BIGINT)) = 1
)
SELECT
    template.record_id,
    template.version,
    template.is_deleted,
    template.name AS label,
    'tryton user ' || coalesce(template.write_uid, template.create_uid) AS edited_by,
    template.code,
    template.name,
    variant.description,
    template.active AS is_active
FROM tryton."product.template" AS template
LEFT JOIN variant ON CAST(variant.template AS VARCHAR) = template.record_id
