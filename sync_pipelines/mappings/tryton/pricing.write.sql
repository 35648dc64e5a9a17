-- A price is the list price of a product's template.
SELECT
    writes.write_id,
    writes.operation,
    writes.link_id,
    writes.record_id,
    writes.external_id,
    'product.template' AS object,
    to_json({
        'list_price': CAST(major(writes.amount_minor, desired.currency) AS VARCHAR),
        '_timestamp': map([concat('product.template,', template.record_id)], [template.version])
    }) AS body,
    CAST([] AS VARCHAR[]) AS "then"
FROM writes
JOIN desired ON desired.write_id = writes.write_id
JOIN tryton."product.template" AS template ON template.record_id = writes.record_id
WHERE writes.amount_minor IS NOT NULL
