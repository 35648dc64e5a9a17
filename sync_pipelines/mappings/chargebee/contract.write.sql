-- A contract ends when its subscription is cancelled: at the first moment of the day after its last day, in the legal
-- entity's zone. Customer, start and currency of a running subscription can't be changed; they are sent so that
-- Chargebee's refusal becomes work for a person.
SELECT
    writes.write_id,
    writes.operation,
    writes.link_id,
    writes.record_id,
    writes.external_id,
    'subscriptions' AS object,
    to_json({
        'cancelled_at': CASE
            WHEN list_contains(writes.cleared, 'end_on') THEN to_json('')
            ELSE to_json(CAST(epoch(timezone(entity.zone, CAST(writes.end_on + 1 AS TIMESTAMP))) AS BIGINT))
        END,
        'customer_id': writes.customer,
        'start_date': CAST(epoch(timezone(entity.zone, CAST(writes.start_on AS TIMESTAMP))) AS BIGINT),
        'currency_code': writes.currency,
        'meta_data': CASE
            WHEN coalesce(writes.number, writes.legal_entity) IS NOT NULL THEN json_merge_patch(
                coalesce(current.meta_data, CAST('{}' AS JSON)),
                CASE
                    WHEN writes.number IS NOT NULL THEN json_object('contract_number', writes.number) ELSE '{}'
                END,
                CASE
                    WHEN writes.legal_entity IS NOT NULL THEN json_object('legal_entity', writes.legal_entity) ELSE '{}'
                END
            )
        END
    }) AS body,
    CAST([] AS VARCHAR[]) AS "then"
FROM writes
JOIN desired ON desired.write_id = writes.write_id
LEFT JOIN legal_entity AS entity ON entity.code = desired.legal_entity
LEFT JOIN chargebee.subscriptions AS current ON current.record_id = writes.record_id
