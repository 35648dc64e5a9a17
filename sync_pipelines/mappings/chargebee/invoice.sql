-- Invoices that are no longer pending, and credit notes with all amounts negative. A line's amount is net: after
-- discounts, without tax that is included; what a total was rounded by is a line of its own. An invoice's number is its id.
WITH sole AS (SELECT min(code) AS code FROM legal_entity HAVING count(*) = 1),
document AS (
    SELECT
        record_id,
        version,
        is_deleted,
        'invoice' AS kind,
        1 AS sign,
        po_number AS order_number,
        status = 'paid' AS is_settled,
        business_entity_id,
        customer_id,
        date,
        CASE
            WHEN status IN ('paid', 'posted', 'payment_due', 'not_paid') THEN 'posted'
            WHEN status = 'voided' THEN 'void'
            ELSE status
        END AS status,
        price_type,
        currency_code,
        total,
        round_off_amount,
        taxes,
        line_items
    FROM chargebee.invoices
    WHERE status IS DISTINCT FROM 'pending'
    UNION ALL
    SELECT
        note.record_id,
        note.version,
        note.is_deleted,
        'credit',
        -1,
        invoice.po_number,
        note.status <> 'refund_due',
        coalesce(note.business_entity_id, invoice.business_entity_id),
        note.customer_id,
        note.date,
        CASE
            WHEN note.status IN ('adjusted', 'refunded', 'refund_due') THEN 'posted'
            WHEN note.status = 'voided' THEN 'void'
            ELSE note.status
        END,
        note.price_type,
        note.currency_code,
        note.total,
        note.round_off_amount,
        note.taxes,
        note.line_items
    FROM chargebee.credit_notes AS note
    LEFT JOIN chargebee.invoices AS invoice ON invoice.record_id = note.reference_invoice_id
),
line AS (
    SELECT
        record_id,
        sign,
        price_type,
        generate_subscripts(line_items, 1) AS place,
        unnest(line_items) AS line
    FROM document
),
amount AS (
    SELECT
        line.record_id,
        line.place,
        line.line.entity_id AS price_id,
        line.sign * CAST(coalesce(line.line.quantity_in_decimal, line.line.quantity, 1) AS DECIMAL(18, 4)) AS quantity,
        line.sign * (
            line.line.amount
            - coalesce(line.line.discount_amount, 0)
            - CASE WHEN line.price_type = 'tax_inclusive' THEN coalesce(line.line.tax_amount, 0) ELSE 0 END
        ) AS amount_minor
    FROM line
    UNION ALL
    SELECT record_id, 1000000, NULL, sign, sign * round_off_amount
    FROM document
    WHERE round_off_amount <> 0
),
listed AS (
    SELECT
        amount.record_id,
        CAST(to_json(list({
            'product': coalesce(item.metadata ->> 'sku', item.record_id),
            'quantity': regexp_replace(CAST(amount.quantity AS VARCHAR), '\.?0+$', ''),
            'amount_minor': CAST(amount.amount_minor AS BIGINT)
        } ORDER BY amount.place)) AS VARCHAR) AS lines
    FROM amount
    LEFT JOIN chargebee.item_prices AS price ON price.record_id = amount.price_id
    LEFT JOIN chargebee.items AS item ON item.record_id = price.item_id
    GROUP BY amount.record_id
)
SELECT
    document.record_id,
    document.version,
    document.is_deleted,
    document.record_id AS external_id,
    document.record_id AS label,
    document.is_settled,
    document.order_number AS correlation_id,
    document.record_id AS number,
    document.kind,
    coalesce(document.business_entity_id, sole.code) AS legal_entity,
    document.customer_id AS customer,
    business_date(to_timestamp(document.date), entity.zone) AS issued_on,
    document.status,
    document.currency_code AS currency,
    CAST(document.sign * (document.total - coalesce(list_sum([tax.amount FOR tax IN document.taxes]), 0)) AS BIGINT)
        AS net_minor,
    CAST(document.sign * coalesce(list_sum([tax.amount FOR tax IN document.taxes]), 0) AS BIGINT) AS tax_minor,
    CAST(document.sign * document.total AS BIGINT) AS total_minor,
    coalesce(listed.lines, '[]') AS lines
FROM document
LEFT JOIN listed ON listed.record_id = document.record_id
LEFT JOIN sole ON true
LEFT JOIN legal_entity AS entity ON entity.code = coalesce(document.business_entity_id, sole.code)
