-- The ERP knows one price of a product, its list price in the currency of the books.
SELECT
    template.record_id,
    template.version,
    template.is_deleted,
    concat_ws(' in ', template.name, currency.code) AS label,
    template.record_id AS product,
    currency.code AS currency,
    minor(template.list_price.decimal, currency.code) AS amount_minor
FROM tryton."product.template" AS template
CROSS JOIN tryton."company.company" AS company
JOIN tryton."currency.currency" AS currency ON currency.record_id = CAST(company.currency AS VARCHAR)
WHERE NOT company.is_deleted
