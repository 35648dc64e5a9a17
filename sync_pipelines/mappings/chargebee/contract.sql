-- A contract is a subscription; it ends with the last day before it is cancelled, in the legal entity's zone. Without a
-- contract number of its own it goes by its id, and where only one legal entity is declared, by that.
-- A status that is not listed here is passed on and refused by the schema.
WITH sole AS (SELECT min(code) AS code FROM legal_entity HAVING count(*) = 1)
SELECT
    subscription.record_id,
    subscription.version,
    subscription.is_deleted,
    subscription.record_id AS external_id,
    coalesce(subscription.meta_data ->> 'contract_number', subscription.record_id) AS label,
    coalesce(subscription.po_number, subscription.meta_data ->> 'contract_number') AS correlation_id,
    coalesce(subscription.meta_data ->> 'contract_number', subscription.record_id) AS number,
    coalesce(subscription.meta_data ->> 'legal_entity', subscription.business_entity_id, sole.code) AS legal_entity,
    subscription.customer_id AS customer,
    business_date(to_timestamp(subscription.start_date), entity.zone) AS start_on,
    business_date(to_timestamp(subscription.cancelled_at - 1), entity.zone) AS end_on,
    CASE
        WHEN subscription.status IN ('future', 'in_trial', 'active', 'non_renewing', 'paused') THEN 'active'
        WHEN subscription.status IN ('cancelled', 'transferred') THEN 'ended'
        ELSE subscription.status
    END AS status,
    subscription.currency_code AS currency
FROM chargebee.subscriptions AS subscription
LEFT JOIN sole ON true
LEFT JOIN legal_entity AS entity ON entity.code = coalesce(
    subscription.meta_data ->> 'legal_entity', subscription.business_entity_id, sole.code
)
