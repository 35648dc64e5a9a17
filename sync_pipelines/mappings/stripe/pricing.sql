-- A price counts while it holds a lookup key: one that was replaced has handed it on. One that was archived
-- is no price any more. Stripe counts ISK and UGX in hundredths and MGA in whole units, unlike ISO 4217.
SELECT
    price.record_id,
    price.version,
    price.is_deleted OR NOT coalesce(price.active, false) AS is_deleted,
    price.metadata.sync_id AS external_id,
    concat_ws(' in ', product.name, upper(price.currency)) AS label,
    price.product,
    upper(price.currency) AS currency,
    CASE
        WHEN price.recurring IS NULL THEN 'once'
        WHEN price.recurring.interval_count = 1 THEN price.recurring.interval
        ELSE concat_ws(' ', price.recurring.interval_count, price.recurring.interval)
    END AS billing_interval,
    CAST(
        price.unit_amount
        * CASE WHEN price.currency IN ('isk', 'ugx') THEN 0.01 WHEN price.currency = 'mga' THEN 100 ELSE 1 END
        AS BIGINT
    ) AS amount_minor
FROM stripe.prices AS price
LEFT JOIN stripe.products AS product ON product.record_id = price.product
WHERE price.lookup_key IS NOT NULL
