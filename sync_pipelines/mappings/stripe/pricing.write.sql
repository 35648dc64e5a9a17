-- What a price says can't be changed: a new one takes the lookup key over, keeps what only Stripe knows of the
-- old one, and the old one is retired. Stripe counts ISK and UGX in hundredths and MGA in whole units.
SELECT
    desired.write_id,
    CASE WHEN desired.operation = 'create' THEN 'create' ELSE 'replace' END AS operation,
    desired.link_id,
    desired.record_id,
    desired.external_id,
    'prices' AS object,
    to_json({
        'product': desired.product,
        'currency': lower(desired.currency),
        'unit_amount': CAST(
            desired.amount_minor
            * CASE WHEN desired.currency IN ('ISK', 'UGX') THEN 100 WHEN desired.currency = 'MGA' THEN 0.01 ELSE 1 END
            AS BIGINT
        ),
        'lookup_key': lower(concat_ws('-', coalesce(product.metadata.sku, desired.product), desired.currency)),
        'nickname': current.nickname,
        'tax_behavior': nullif(current.tax_behavior, 'unspecified'),
        'recurring': CASE
            WHEN desired.billing_interval <> 'once' THEN {'interval': desired.billing_interval}
        END
    }) AS body,
    CASE WHEN desired.operation = 'create' THEN CAST([] AS VARCHAR[]) ELSE ['retire'] END AS "then"
FROM desired
LEFT JOIN stripe.products AS product ON product.record_id = desired.product
LEFT JOIN stripe.prices AS current ON current.record_id = desired.record_id
