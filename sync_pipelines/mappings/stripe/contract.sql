-- A contract is a subscription; it ends with the last day before it is cancelled, in the legal entity's zone.
-- A status that is not listed here is passed on and refused by the schema.
SELECT
    subscription.record_id,
    subscription.version,
    subscription.is_deleted,
    subscription.metadata.sync_id AS external_id,
    subscription.metadata.contract_number AS label,
    subscription.metadata.contract_number AS correlation_id,
    subscription.metadata.contract_number AS number,
    subscription.metadata.legal_entity AS legal_entity,
    subscription.customer,
    business_date(to_timestamp(subscription.start_date), entity.zone) AS start_on,
    business_date(
        to_timestamp(coalesce(subscription.cancel_at, subscription.ended_at) - 1), entity.zone
    ) AS end_on,
    CASE
        WHEN subscription.status IN ('active', 'trialing', 'past_due', 'unpaid', 'paused') THEN 'active'
        WHEN subscription.status IN ('canceled', 'incomplete_expired') THEN 'ended'
        WHEN subscription.status = 'incomplete' THEN 'draft'
        ELSE subscription.status
    END AS status,
    upper(subscription.currency) AS currency
FROM stripe.subscriptions AS subscription
LEFT JOIN legal_entity AS entity ON entity.code = subscription.metadata.legal_entity
