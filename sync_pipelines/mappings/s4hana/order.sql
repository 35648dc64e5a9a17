-- An order is a sales order; the number that the deal was given is what S/4HANA calls the customer's reference. A sales
-- organization has the code of its legal entity. A block on billing or delivery keeps an order open.
WITH partner AS (
    SELECT Customer AS customer, min(record_id) AS record_id
    FROM s4hana."A_BusinessPartner"
    WHERE Customer <> '' AND NOT is_deleted
    GROUP BY Customer
)
SELECT
    sale.record_id,
    sale.version,
    sale.is_deleted,
    coalesce(nullif(sale.PurchaseOrderByCustomer, ''), sale.record_id) AS label,
    coalesce(nullif(sale.PurchaseOrderByCustomer, ''), sale.record_id) AS correlation_id,
    coalesce(nullif(sale.PurchaseOrderByCustomer, ''), sale.record_id) AS number,
    sale.SalesOrganization AS legal_entity,
    coalesce(partner.record_id, sale.SoldToParty) AS customer,
    CAST(epoch_ms(CAST(regexp_extract(sale.SalesOrderDate, '-?\d+') AS BIGINT)) AS DATE) AS ordered_on,
    CASE
        WHEN sale.OverallSDDocumentRejectionSts = 'C' THEN 'cancelled'
        WHEN sale.HeaderBillingBlockReason <> '' OR sale.DeliveryBlockReason <> '' THEN 'open'
        ELSE 'confirmed'
    END AS status,
    sale.TransactionCurrency AS currency,
    coalesce(list_sum([minor(item.NetAmount, sale.TransactionCurrency) FOR item IN sale.to_Item.results]), 0) AS net_minor,
    CAST(to_json([{
        'product': item.Material,
        'quantity': regexp_replace(CAST(item.RequestedQuantity AS VARCHAR), '\.?0+$', ''),
        'amount_minor': minor(item.NetAmount, sale.TransactionCurrency)
    } FOR item IN sale.to_Item.results]) AS VARCHAR) AS lines
FROM s4hana."A_SalesOrder" AS sale
LEFT JOIN partner ON partner.customer = sale.SoldToParty
