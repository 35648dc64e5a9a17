-- A customer is entitled to each plan and addon of a subscription that is in force, until the day it is cancelled.
-- An item of a subscription has no id; the price it has is there once.
WITH sole AS (SELECT min(code) AS code FROM legal_entity HAVING count(*) = 1),
item AS (
    SELECT
        record_id AS subscription_id,
        version,
        is_deleted,
        customer_id,
        start_date,
        cancelled_at,
        coalesce(po_number, meta_data ->> 'contract_number') AS correlation_id,
        coalesce(meta_data ->> 'legal_entity', business_entity_id) AS legal_entity,
        unnest(subscription_items) AS item
    FROM chargebee.subscriptions
    WHERE status IN ('in_trial', 'active', 'non_renewing')
)
SELECT
    concat_ws(':', item.subscription_id, item.item.item_price_id) AS record_id,
    item.version,
    item.is_deleted,
    concat_ws(':', item.subscription_id, item.item.item_price_id) AS external_id,
    concat_ws(' for ', product.name, customer.company) AS label,
    item.correlation_id,
    concat_ws(':', item.subscription_id, item.item.item_price_id) AS number,
    item.customer_id AS customer,
    price.item_id AS product,
    CAST(coalesce(item.item.quantity_in_decimal, item.item.quantity, 1) AS DECIMAL(18, 4)) AS quantity,
    business_date(to_timestamp(item.start_date), entity.zone) AS start_on,
    business_date(to_timestamp(item.cancelled_at - 1), entity.zone) AS end_on
FROM item
LEFT JOIN sole ON true
LEFT JOIN legal_entity AS entity ON entity.code = coalesce(item.legal_entity, sole.code)
LEFT JOIN chargebee.item_prices AS price ON price.record_id = item.item.item_price_id
LEFT JOIN chargebee.items AS product ON product.record_id = price.item_id
LEFT JOIN chargebee.customers AS customer ON customer.record_id = item.customer_id
WHERE item.item.item_type IS DISTINCT FROM 'charge'
