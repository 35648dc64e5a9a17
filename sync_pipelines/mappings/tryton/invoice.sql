-- Customer invoices; a credit note is one with a negative total. The billing platform's number travels as
-- reference (and as number, so that the ERP does not give a second one). An invoice that was voided after it was
-- posted is cancelled by a credit note: the two balance each other, and neither counts.
WITH lines AS (
    SELECT
        line.invoice,
        CAST(to_json(list({
            'product': template.code,
            'quantity': regexp_replace(CAST(line.quantity AS VARCHAR), '\.?0+$', ''),
            'amount_minor': minor(line.amount.decimal, currency.code)
        } ORDER BY line.sequence NULLS FIRST, CAST(line.record_id AS BIGINT))) AS VARCHAR) AS lines
    FROM tryton."account.invoice.line" AS line
    JOIN tryton."account.invoice" AS invoice ON invoice.record_id = CAST(line.invoice AS VARCHAR)
    JOIN tryton."currency.currency" AS currency ON currency.record_id = CAST(invoice.currency AS VARCHAR)
    LEFT JOIN tryton."product.product" AS product ON product.record_id = CAST(line.product AS VARCHAR)
    LEFT JOIN tryton."product.template" AS template ON template.record_id = CAST(product.template AS VARCHAR)
    WHERE line.type = 'line' AND NOT line.is_deleted
    GROUP BY line.invoice
)
SELECT
    invoice.record_id,
    invoice.version,
    invoice.is_deleted,
    coalesce(invoice.reference, invoice.number) AS label,
    'tryton user ' || coalesce(invoice.write_uid, invoice.create_uid) AS edited_by,
    invoice.state = 'paid' AS is_settled,
    coalesce(invoice.reference, invoice.number) AS number,
    CASE WHEN invoice.total_amount.decimal < 0 THEN 'credit' ELSE 'invoice' END AS kind,
    entity.code AS legal_entity,
    CAST(invoice.party AS VARCHAR) AS customer,
    make_date(invoice.invoice_date.year, invoice.invoice_date.month, invoice.invoice_date.day) AS issued_on,
    make_date(invoice.accounting_date.year, invoice.accounting_date.month, invoice.accounting_date.day) AS posting_on,
    CASE
        WHEN invoice.state IN ('draft', 'validated') THEN 'draft'
        WHEN voided.record_id IS NOT NULL THEN 'void'
        WHEN invoice.state IN ('posted', 'paid') THEN 'posted'
        WHEN invoice.state = 'cancelled' THEN 'void'
    END AS status,
    currency.code AS currency,
    minor(invoice.untaxed_amount.decimal, currency.code) AS net_minor,
    minor(invoice.tax_amount.decimal, currency.code) AS tax_minor,
    minor(invoice.total_amount.decimal, currency.code) AS total_minor,
    coalesce(lines.lines, '[]') AS lines
FROM tryton."account.invoice" AS invoice
LEFT JOIN tryton."company.company" AS company ON company.record_id = CAST(invoice.company AS VARCHAR)
LEFT JOIN tryton."party.party" AS entity ON entity.record_id = CAST(company.party AS VARCHAR)
LEFT JOIN tryton."currency.currency" AS currency ON currency.record_id = CAST(invoice.currency AS VARCHAR)
LEFT JOIN lines ON CAST(lines.invoice AS VARCHAR) = invoice.record_id
LEFT JOIN tryton."account.invoice" AS voided
    ON voided.cancel_move = invoice.move AND voided.state = 'cancelled' AND NOT voided.is_deleted
WHERE invoice.type = 'out'
