-- Finalized invoices, and credit notes with all amounts negative. A line's amount is net: after discounts,
-- without tax that is included. Stripe counts ISK and UGX in hundredths and MGA in whole units, unlike ISO 4217.
WITH invoice_line AS (
    SELECT record_id, generate_subscripts(lines.data, 1) AS place, unnest(lines.data) AS line
    FROM stripe.invoices
),
credit_line AS (
    SELECT record_id, generate_subscripts(lines.data, 1) AS place, unnest(lines.data) AS line
    FROM stripe.credit_notes
),
line AS (
    SELECT
        record_id,
        place,
        line.pricing.price_details.product AS product_id,
        CAST(coalesce(line.quantity_decimal, line.quantity, 1) AS DECIMAL(18, 4)) AS quantity,
        line.amount
        - coalesce(list_sum([discount.amount FOR discount IN line.discount_amounts]), 0)
        - coalesce(list_sum([tax.amount FOR tax IN line.taxes IF tax.tax_behavior = 'inclusive']), 0) AS amount
    FROM invoice_line
    UNION ALL
    SELECT
        credit_line.record_id,
        credit_line.place,
        invoice_line.line.pricing.price_details.product,
        -CAST(coalesce(credit_line.line.quantity, 1) AS DECIMAL(18, 4)),
        -credit_line.line.amount
        + coalesce(list_sum([discount.amount FOR discount IN credit_line.line.discount_amounts]), 0)
        + coalesce(list_sum([tax.amount FOR tax IN credit_line.line.taxes IF tax.tax_behavior = 'inclusive']), 0)
    FROM credit_line
    LEFT JOIN invoice_line ON invoice_line.line.id = credit_line.line.invoice_line_item
),
document AS (
    SELECT
        record_id,
        version,
        is_deleted,
        metadata.sync_id AS external_id,
        metadata.order_number AS order_number,
        status IN ('paid', 'uncollectible') AS is_settled,
        number,
        'invoice' AS kind,
        metadata.legal_entity AS legal_entity,
        customer,
        coalesce(effective_at, status_transitions.finalized_at) AS issued_at,
        CASE WHEN status IN ('open', 'paid', 'uncollectible') THEN 'posted' ELSE status END AS status,
        currency,
        total,
        coalesce(list_sum([tax.amount FOR tax IN total_taxes]), 0) AS tax
    FROM stripe.invoices
    WHERE status IS DISTINCT FROM 'draft'
    UNION ALL
    SELECT
        credit.record_id,
        credit.version,
        credit.is_deleted,
        credit.metadata.sync_id,
        coalesce(credit.metadata.order_number, invoice.metadata.order_number),
        true,
        credit.number,
        'credit',
        coalesce(credit.metadata.legal_entity, invoice.metadata.legal_entity),
        credit.customer,
        coalesce(credit.effective_at, credit.created),
        CASE WHEN credit.status = 'issued' THEN 'posted' ELSE credit.status END,
        credit.currency,
        -credit.total,
        -coalesce(list_sum([tax.amount FOR tax IN credit.total_taxes]), 0)
    FROM stripe.credit_notes AS credit
    LEFT JOIN stripe.invoices AS invoice ON invoice.record_id = credit.invoice
),
scale AS (
    SELECT
        record_id,
        CASE WHEN currency IN ('isk', 'ugx') THEN 0.01 WHEN currency = 'mga' THEN 100 ELSE 1 END AS factor
    FROM document
),
listed AS (
    SELECT
        line.record_id,
        CAST(to_json(list({
            'product': product.metadata.sku,
            'quantity': regexp_replace(CAST(line.quantity AS VARCHAR), '\.?0+$', ''),
            'amount_minor': CAST(line.amount * scale.factor AS BIGINT)
        } ORDER BY line.place)) AS VARCHAR) AS lines
    FROM line
    JOIN scale ON scale.record_id = line.record_id
    LEFT JOIN stripe.products AS product ON product.record_id = line.product_id
    GROUP BY line.record_id
)
SELECT
    document.record_id,
    document.version,
    document.is_deleted,
    document.external_id,
    document.number AS label,
    document.is_settled,
    document.order_number AS correlation_id,
    document.number,
    document.kind,
    document.legal_entity,
    document.customer,
    business_date(to_timestamp(document.issued_at), entity.zone) AS issued_on,
    document.status,
    upper(document.currency) AS currency,
    CAST((document.total - document.tax) * scale.factor AS BIGINT) AS net_minor,
    CAST(document.tax * scale.factor AS BIGINT) AS tax_minor,
    CAST(document.total * scale.factor AS BIGINT) AS total_minor,
    coalesce(listed.lines, '[]') AS lines
FROM document
JOIN scale ON scale.record_id = document.record_id
LEFT JOIN listed ON listed.record_id = document.record_id
LEFT JOIN legal_entity AS entity ON entity.code = document.legal_entity
