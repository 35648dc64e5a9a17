-- Billing documents; billing's own number is their payment reference. Credit memos (categories O, and S that cancels one) are
-- credits with negative amounts. A document that was cancelled and the one that cancels it balance, and neither counts.
-- A document is posted when accounting has it.
WITH document AS (
    SELECT
        *,
        CASE WHEN SDDocumentCategory IN ('O', 'S') THEN 'credit' ELSE 'invoice' END AS kind,
        CASE WHEN SDDocumentCategory IN ('O', 'S') THEN -1 ELSE 1 END AS sign,
        TransactionCurrency AS currency
    FROM s4hana."A_BillingDocument"
),
partner AS (
    SELECT Customer AS customer, min(record_id) AS record_id
    FROM s4hana."A_BusinessPartner"
    WHERE Customer <> '' AND NOT is_deleted
    GROUP BY Customer
)
SELECT
    document.record_id,
    document.version,
    document.is_deleted,
    coalesce(nullif(document.PaymentReference, ''), document.record_id) AS label,
    document.InvoiceClearingStatus = 'C' AS is_settled,
    coalesce(nullif(document.PaymentReference, ''), document.record_id) AS number,
    document.kind,
    document.CompanyCode AS legal_entity,
    coalesce(partner.record_id, document.SoldToParty) AS customer,
    CAST(epoch_ms(CAST(regexp_extract(document.BillingDocumentDate, '-?\d+') AS BIGINT)) AS DATE) AS issued_on,
    CASE
        WHEN document.BillingDocumentIsCancelled OR document.CancelledBillingDocument <> '' THEN 'void'
        WHEN document.AccountingTransferStatus = 'C' THEN 'posted'
        ELSE 'draft'
    END AS status,
    document.currency,
    document.sign * minor(document.TotalNetAmount, document.currency) AS net_minor,
    document.sign * minor(document.TaxAmount, document.currency) AS tax_minor,
    document.sign * minor(document.TotalGrossAmount, document.currency) AS total_minor,
    CAST(to_json([{
        'product': item.Material,
        'quantity': regexp_replace(CAST(document.sign * item.BillingQuantity AS VARCHAR), '\.?0+$', ''),
        'amount_minor': document.sign * minor(item.NetAmount, document.currency)
    } FOR item IN document.to_Item.results]) AS VARCHAR) AS lines
FROM document
LEFT JOIN partner ON partner.customer = document.SoldToParty
