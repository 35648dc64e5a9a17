-- An order is a deal that was won and has not been lost since, on the day of its entity on which it was closed. Its
-- customer is the primary company (association type 5), or the only one. A line's amount is after its discount.
WITH deal AS (
    SELECT
        *,
        coalesce(
            [company.id FOR company IN associations.companies IF list_contains(company.types, 5)][1],
            CASE WHEN len(associations.companies) = 1 THEN associations.companies[1].id END
        ) AS customer
    FROM hubspot.deals
    WHERE hs_is_closed_won OR (hs_is_closed AND order_number IS NOT NULL)
),
item AS (
    SELECT record_id AS deal_id, deal_currency_code AS currency, unnest(associations.line_items).id AS line_id
    FROM deal
),
lines AS (
    SELECT
        item.deal_id,
        CAST(to_json(list({
            'product': line.hs_sku,
            'quantity': regexp_replace(CAST(line.quantity AS VARCHAR), '\.?0+$', ''),
            'amount_minor': minor(line.amount, item.currency)
        } ORDER BY line.hs_position_on_quote NULLS LAST, CAST(line.record_id AS BIGINT))) AS VARCHAR) AS lines
    FROM item
    JOIN hubspot.line_items AS line ON line.record_id = item.line_id
    WHERE NOT line.is_deleted
    GROUP BY item.deal_id
)
SELECT
    deal.record_id,
    deal.version,
    deal.is_deleted,
    deal.sync_id AS external_id,
    concat_ws(' ', deal.order_number, deal.dealname) AS label,
    deal.hs_updated_by_user_id AS edited_by,
    deal.record_id AS correlation_id,
    deal.order_number AS number,
    deal.legal_entity,
    deal.customer,
    business_date(deal.closedate, entity.zone) AS ordered_on,
    CASE WHEN deal.hs_is_closed_won THEN 'confirmed' WHEN deal.hs_is_closed THEN 'cancelled' END AS status,
    deal.deal_currency_code AS currency,
    minor(deal.amount, deal.deal_currency_code) AS net_minor,
    coalesce(lines.lines, '[]') AS lines
FROM deal
LEFT JOIN lines ON lines.deal_id = deal.record_id
LEFT JOIN legal_entity AS entity ON entity.code = deal.legal_entity
