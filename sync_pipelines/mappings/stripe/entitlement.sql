-- A customer is entitled to each item of a subscription that is in force, until the day it is cancelled.
WITH item AS (
    SELECT
        record_id AS subscription_id,
        version,
        is_deleted,
        customer,
        start_date,
        cancel_at,
        metadata.legal_entity AS legal_entity,
        metadata.contract_number AS contract_number,
        unnest(items.data) AS item
    FROM stripe.subscriptions
    WHERE status IN ('active', 'trialing', 'past_due')
)
SELECT
    item.item.id AS record_id,
    item.version,
    item.is_deleted,
    item.item.metadata.sync_id AS external_id,
    concat_ws(' for ', product.name, customer.name) AS label,
    item.contract_number AS correlation_id,
    item.item.id AS number,
    item.customer,
    item.item.price.product AS product,
    CAST(item.item.quantity AS DECIMAL(18, 4)) AS quantity,
    business_date(to_timestamp(item.start_date), entity.zone) AS start_on,
    business_date(to_timestamp(item.cancel_at - 1), entity.zone) AS end_on
FROM item
LEFT JOIN stripe.products AS product ON product.record_id = item.item.price.product
LEFT JOIN stripe.customers AS customer ON customer.record_id = item.customer
LEFT JOIN legal_entity AS entity ON entity.code = item.legal_entity
