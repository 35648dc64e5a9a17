-- A family that Chargebee doesn't have is sent by its name, so that the refusal becomes work for a person. A new item
-- is of the type (plan, addon, charge) that most items of its family have.
WITH family AS (
    SELECT min(record_id) AS record_id, lower(name) AS name
    FROM chargebee.item_families
    WHERE NOT is_deleted
    GROUP BY lower(name)
),
kind AS (
    SELECT item_family_id, mode(type ORDER BY type) AS type
    FROM chargebee.items
    WHERE NOT is_deleted
    GROUP BY item_family_id
)
SELECT
    writes.write_id,
    writes.operation,
    writes.link_id,
    writes.record_id,
    writes.external_id,
    'items' AS object,
    to_json({
        'name': writes.name,
        'description': writes.description,
        'item_family_id': CASE
            WHEN writes.family IS NOT NULL OR writes.operation = 'create' THEN coalesce(family.record_id, desired.family)
        END,
        'type': CASE WHEN writes.operation = 'create' THEN coalesce(kind.type, 'plan') END,
        'status': CASE
            WHEN writes.operation = 'create' THEN NULL
            WHEN writes.is_active THEN 'active'
            WHEN NOT writes.is_active THEN 'archived'
        END,
        'metadata': CASE
            WHEN writes.code IS NOT NULL THEN json_merge_patch(
                coalesce(current.metadata, CAST('{}' AS JSON)), json_object('sku', writes.code)
            )
        END
    }) AS body,
    CAST([] AS VARCHAR[]) AS "then"
FROM writes
JOIN desired ON desired.write_id = writes.write_id
LEFT JOIN family ON family.name = lower(desired.family)
LEFT JOIN kind ON kind.item_family_id = family.record_id
LEFT JOIN chargebee.items AS current ON current.record_id = writes.record_id
