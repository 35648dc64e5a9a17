-- A new product is a service without a price: the pricing domain sets it. Archiving goes for the variant too.
WITH variant AS (
    SELECT * FROM tryton."product.product"
    WHERE NOT is_deleted
    QUALIFY row_number() OVER (PARTITION BY template ORDER BY CAST(record_id AS BIGINT)) = 1
),
unit AS (
    SELECT CAST(record_id AS BIGINT) AS id FROM tryton."product.uom" WHERE symbol = 'u' AND NOT is_deleted
),
category AS (
    SELECT CAST(record_id AS BIGINT) AS id FROM tryton."product.category"
    WHERE name = 'Subscription revenue' AND accounting AND NOT is_deleted
)
SELECT
    writes.write_id,
    writes.operation,
    writes.link_id,
    writes.record_id,
    desired.code AS external_id,
    'product.template' AS object,
    CASE WHEN writes.operation = 'create' THEN to_json({
        'code': writes.code,
        'name': writes.name,
        'active': writes.is_active,
        'type': 'service',
        'salable': true,
        'default_uom': unit.id,
        'sale_uom': unit.id,
        'account_category': category.id,
        'list_price': '0',
        'products': json_array(json_array('create', json_array({
            'description': writes.description,
            'active': writes.is_active
        })))
    }) ELSE to_json({
        'code': writes.code,
        'name': writes.name,
        'active': writes.is_active,
        'products': CASE WHEN writes.description IS NOT NULL OR writes.is_active IS NOT NULL
            THEN json_array(json_array('write', json_array(CAST(variant.record_id AS BIGINT)), {
                'description': writes.description,
                'active': writes.is_active
            })) END,
        '_timestamp': map_concat(
            map([concat('product.template,', template.record_id)], [template.version]),
            CASE WHEN writes.description IS NOT NULL OR writes.is_active IS NOT NULL
                THEN map([concat('product.product,', variant.record_id)], [variant.version]) END
        )
    }) END AS body,
    CAST([] AS VARCHAR[]) AS "then"
FROM writes
JOIN desired ON desired.write_id = writes.write_id
LEFT JOIN unit ON true
LEFT JOIN category ON true
LEFT JOIN tryton."product.template" AS template ON template.record_id = writes.record_id
LEFT JOIN variant ON CAST(variant.template AS VARCHAR) = writes.record_id
