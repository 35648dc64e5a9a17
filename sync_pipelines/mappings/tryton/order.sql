-- An order is a sale; the number that the deal was given travels as its reference.
WITH lines AS (
    SELECT
        line.sale,
        CAST(to_json(list({
            'product': template.code,
            'quantity': regexp_replace(CAST(line.quantity AS VARCHAR), '\.?0+$', ''),
            'amount_minor': minor(line.amount.decimal, currency.code)
        } ORDER BY line.sequence NULLS FIRST, CAST(line.record_id AS BIGINT))) AS VARCHAR) AS lines
    FROM tryton."sale.line" AS line
    JOIN tryton."sale.sale" AS sale ON sale.record_id = CAST(line.sale AS VARCHAR)
    JOIN tryton."currency.currency" AS currency ON currency.record_id = CAST(sale.currency AS VARCHAR)
    LEFT JOIN tryton."product.product" AS product ON product.record_id = CAST(line.product AS VARCHAR)
    LEFT JOIN tryton."product.template" AS template ON template.record_id = CAST(product.template AS VARCHAR)
    WHERE line.type = 'line' AND NOT line.is_deleted
    GROUP BY line.sale
)
SELECT
    sale.record_id,
    sale.version,
    sale.is_deleted,
    coalesce(sale.reference, sale.number) AS label,
    'tryton user ' || coalesce(sale.write_uid, sale.create_uid) AS edited_by,
    sale.reference AS correlation_id,
    coalesce(sale.reference, sale.number) AS number,
    entity.code AS legal_entity,
    CAST(sale.party AS VARCHAR) AS customer,
    make_date(sale.sale_date.year, sale.sale_date.month, sale.sale_date.day) AS ordered_on,
    CASE
        WHEN sale.state IN ('draft', 'quotation') THEN 'open'
        WHEN sale.state IN ('confirmed', 'processing', 'done') THEN 'confirmed'
        ELSE sale.state
    END AS status,
    currency.code AS currency,
    minor(sale.untaxed_amount.decimal, currency.code) AS net_minor,
    coalesce(lines.lines, '[]') AS lines
FROM tryton."sale.sale" AS sale
LEFT JOIN tryton."company.company" AS company ON company.record_id = CAST(sale.company AS VARCHAR)
LEFT JOIN tryton."party.party" AS entity ON entity.record_id = CAST(company.party AS VARCHAR)
LEFT JOIN tryton."currency.currency" AS currency ON currency.record_id = CAST(sale.currency AS VARCHAR)
LEFT JOIN lines ON CAST(lines.sale AS VARCHAR) = sale.record_id
