-- The SKU and the family have no field of their own in Stripe.
SELECT
    write_id,
    operation,
    link_id,
    record_id,
    external_id,
    'products' AS object,
    to_json({
        'name': name,
        'description': description,
        'active': is_active,
        'metadata': {'sku': code, 'family': family}
    }) AS body,
    CAST([] AS VARCHAR[]) AS "then"
FROM writes
