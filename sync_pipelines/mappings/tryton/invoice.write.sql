-- A customer invoice as billing issued it, credits with negative quantities. It keeps billing's number: the
-- ERP gives its own only in the order of dates, and would refuse whatever comes late. A taxed document carries
-- the tax of billing's rate on every line. The ERP rounds it once a document: where billing, which rounds each
-- line, came to another amount, the tax is entered as billed. An unknown company, customer, address,
-- currency, product or rate is sent as -1, and refused; so is a line whose amount no unit price of four places gives
-- back.
WITH address AS (
    SELECT * FROM tryton."party.address"
    WHERE NOT is_deleted AND active
    QUALIFY row_number() OVER (PARTITION BY party ORDER BY sequence NULLS FIRST, CAST(record_id AS BIGINT)) = 1
),
variant AS (
    SELECT template.code, template.name, CAST(product.record_id AS BIGINT) AS id
    FROM tryton."product.product" AS product
    JOIN tryton."product.template" AS template ON template.record_id = CAST(product.template AS VARCHAR)
    WHERE NOT product.is_deleted
    QUALIFY row_number() OVER (PARTITION BY product.template ORDER BY CAST(product.record_id AS BIGINT)) = 1
),
rated AS (
    SELECT
        desired.write_id,
        CAST(tax.record_id AS BIGINT) AS tax_id,
        tax.name AS tax_name,
        CASE WHEN desired.kind = 'credit' THEN tax.credit_note_account ELSE tax.invoice_account END AS tax_account,
        abs(desired.net_minor * tax.rate.decimal - desired.tax_minor) AS off_by
    FROM desired
    JOIN tryton."party.party" AS entity ON entity.code = desired.legal_entity
    JOIN tryton."company.company" AS company ON CAST(company.party AS VARCHAR) = entity.record_id
    JOIN tryton."account.tax" AS tax ON CAST(tax.company AS VARCHAR) = company.record_id AND NOT tax.is_deleted
    WHERE desired.tax_minor <> 0 AND off_by * 2 <= greatest(json_array_length(desired.lines), 1)
    QUALIFY row_number() OVER (PARTITION BY desired.write_id ORDER BY off_by, CAST(tax.record_id AS BIGINT)) = 1
),
document AS (
    SELECT
        desired.*,
        coalesce(CAST(company.record_id AS BIGINT), -1) AS company_id,
        coalesce(CAST(currency.record_id AS BIGINT), -1) AS currency_id,
        CAST(unit.record_id AS BIGINT) AS unit_id,
        CAST(revenue.record_id AS BIGINT) AS revenue_id,
        CAST(receivable.record_id AS BIGINT) AS receivable_id,
        CASE WHEN desired.tax_minor <> 0 THEN coalesce(rated.tax_id, -1) END AS tax_id,
        rated.tax_name,
        rated.tax_account,
        coalesce(rated.off_by * 2 >= 1, false) AS is_taxed_by_hand
    FROM desired
    LEFT JOIN tryton."party.party" AS entity ON entity.code = desired.legal_entity
    LEFT JOIN tryton."company.company" AS company ON CAST(company.party AS VARCHAR) = entity.record_id
    LEFT JOIN tryton."currency.currency" AS currency ON currency.code = desired.currency
    LEFT JOIN tryton."product.uom" AS unit ON unit.symbol = 'u'
    LEFT JOIN tryton."account.account" AS revenue
        ON revenue.code = '4.2.2' AND CAST(revenue.company AS VARCHAR) = company.record_id
    LEFT JOIN tryton."account.account" AS receivable
        ON receivable.code = '1.2.1' AND CAST(receivable.company AS VARCHAR) = company.record_id
    LEFT JOIN rated ON rated.write_id = desired.write_id
),
given AS (
    SELECT write_id, generate_subscripts(items, 1) AS place, unnest(items) AS item
    FROM (
        SELECT write_id, from_json(
            lines, '[{"product":"VARCHAR","quantity":"DECIMAL(18,4)","amount_minor":"BIGINT"}]'
        ) AS items
        FROM desired
    )
),
lines AS (
    SELECT
        given.write_id,
        list({
            'type': 'line',
            'sequence': given.place,
            'company': document.company_id,
            'currency': document.currency_id,
            'product': coalesce(variant.id, -1),
            'description': variant.name,
            'unit': document.unit_id,
            'quantity': CAST(given.item.quantity AS VARCHAR),
            'unit_price': CAST(unit_price(given.item.amount_minor, given.item.quantity, document.currency) AS VARCHAR),
            'account': document.revenue_id,
            'taxes': CASE WHEN document.tax_id IS NOT NULL AND NOT document.is_taxed_by_hand
                THEN json_array(json_array('add', json_array(document.tax_id))) END
        } ORDER BY given.place) AS lines
    FROM given
    JOIN document ON document.write_id = given.write_id
    LEFT JOIN variant ON variant.code = given.item.product
    GROUP BY given.write_id
)
SELECT
    writes.write_id,
    writes.operation,
    writes.link_id,
    writes.record_id,
    document.number AS external_id,
    'account.invoice' AS object,
    to_json({
        'type': 'out',
        'number': writes.number,
        'reference': writes.number,
        'company': document.company_id,
        'party': coalesce(CAST(writes.customer AS BIGINT), -1),
        'invoice_address': coalesce(CAST(address.record_id AS BIGINT), -1),
        'currency': document.currency_id,
        'invoice_date': strftime(writes.issued_on, '%Y-%m-%d'),
        'accounting_date': strftime(writes.posting_on, '%Y-%m-%d'),
        'journal': CAST(journal.record_id AS BIGINT),
        'account': document.receivable_id,
        'payment_term': CAST(term.record_id AS BIGINT),
        'lines': json_array(json_array('create', lines.lines)),
        'taxes': CASE WHEN document.is_taxed_by_hand THEN json_array(json_array('create', json_array({
            'manual': true,
            'description': document.tax_name,
            'account': document.tax_account,
            'tax': document.tax_id,
            'base': rtrim(rtrim(CAST(major(document.net_minor, document.currency) AS VARCHAR), '0'), '.'),
            'amount': rtrim(rtrim(CAST(major(document.tax_minor, document.currency) AS VARCHAR), '0'), '.')
        }))) END
    }) AS body,
    CASE
        WHEN document.status <> 'posted' THEN CAST([] AS VARCHAR[])
        WHEN document.is_taxed_by_hand THEN ['post_taxed']
        ELSE ['post']
    END AS "then"
FROM writes
JOIN document ON document.write_id = writes.write_id
LEFT JOIN lines ON lines.write_id = writes.write_id
LEFT JOIN address ON CAST(address.party AS VARCHAR) = writes.customer
LEFT JOIN tryton."account.journal" AS journal ON journal.code = 'REV'
LEFT JOIN tryton."account.invoice.payment_term" AS term ON term.name = 'Net 30 days'
WHERE writes.operation = 'create'
UNION ALL
SELECT
    writes.write_id,
    writes.operation,
    writes.link_id,
    writes.record_id,
    desired.number,
    'account.invoice',
    CAST('{}' AS JSON),
    ['void']
FROM writes
JOIN desired ON desired.write_id = writes.write_id
WHERE writes.operation = 'void'
