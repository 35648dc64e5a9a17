-- A price is an active item price with one amount: tiers, volumes and stairs have none. A decimal price (of sites with
-- multi-decimal pricing) counts where it is whole in the currency's minor unit; otherwise there is no amount.
SELECT
    price.record_id,
    price.version,
    price.is_deleted OR price.status IS DISTINCT FROM 'active' AS is_deleted,
    price.record_id AS external_id,
    concat_ws(' in ', item.name, price.currency_code) AS label,
    price.item_id AS product,
    price.currency_code AS currency,
    CASE
        WHEN price.item_type = 'charge' OR price.period IS NULL THEN 'once'
        WHEN price.period = 1 THEN price.period_unit
        ELSE concat_ws(' ', price.period, price.period_unit)
    END AS billing_interval,
    CASE
        WHEN price.price_in_decimal IS NULL THEN price.price
        WHEN major(minor(price.price_in_decimal, price.currency_code), price.currency_code) = price.price_in_decimal
            THEN minor(price.price_in_decimal, price.currency_code)
    END AS amount_minor
FROM chargebee.item_prices AS price
LEFT JOIN chargebee.items AS item ON item.record_id = price.item_id
WHERE price.pricing_model IN ('flat_fee', 'per_unit')
