-- A price is changed in place: subscriptions keep what they were sold for. Its item can't be changed, nor its currency
-- and period once it is used; they are sent so that Chargebee's refusal becomes work for a person.
SELECT
    writes.write_id,
    writes.operation,
    writes.link_id,
    writes.record_id,
    writes.external_id,
    'item_prices' AS object,
    to_json({
        'name': CASE
            WHEN writes.operation = 'create'
                THEN concat_ws(' ', coalesce(item.name, desired.product), desired.currency, desired.billing_interval)
        END,
        'item_id': writes.product,
        'currency_code': writes.currency,
        'pricing_model': CASE WHEN writes.operation = 'create' THEN 'per_unit' END,
        'price': CASE WHEN current.price_in_decimal IS NULL THEN writes.amount_minor END,
        'price_in_decimal': CASE
            WHEN current.price_in_decimal IS NOT NULL
                THEN CAST(major(writes.amount_minor, desired.currency) AS VARCHAR)
        END,
        'period': CASE WHEN writes.billing_interval <> 'once' THEN 1 END,
        'period_unit': nullif(writes.billing_interval, 'once')
    }) AS body,
    CAST([] AS VARCHAR[]) AS "then"
FROM writes
JOIN desired ON desired.write_id = writes.write_id
LEFT JOIN chargebee.items AS item ON item.record_id = desired.product
LEFT JOIN chargebee.item_prices AS current ON current.record_id = writes.record_id
