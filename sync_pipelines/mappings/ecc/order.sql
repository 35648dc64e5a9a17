-- An order; its number is the customer's own, and what SAP calls the purchase order. One that is blocked for delivery is
-- open, one that is rejected cancelled.
SELECT
    sale.record_id,
    sale.version,
    sale.is_deleted,
    coalesce(sale.BSTKD, sale.VBELN) AS label,
    coalesce(sale.BSTKD, sale.VBELN) AS correlation_id,
    coalesce(sale.BSTKD, sale.VBELN) AS number,
    sale.BUKRS AS legal_entity,
    sale.KUNNR AS customer,
    sale.AUDAT AS ordered_on,
    CASE
        WHEN sale.ABGRU IS NOT NULL THEN 'cancelled'
        WHEN sale.LIFSK IS NOT NULL THEN 'open'
        ELSE 'confirmed'
    END AS status,
    sale.WAERK AS currency,
    minor(coalesce(list_sum([item.NETWR FOR item IN sale.items]), 0), sale.WAERK) AS net_minor,
    CAST(to_json([{
        'product': item.MATNR,
        'quantity': regexp_replace(CAST(item.KWMENG AS VARCHAR), '\.?0+$', ''),
        'amount_minor': minor(item.NETWR, sale.WAERK)
    } FOR item IN sale.items]) AS VARCHAR) AS lines
FROM ecc.ORDERS AS sale
