-- A standard order (OR) in distribution channel 10 and division 00, blocked for delivery (01) while the deal is open. A
-- line's price is entered by hand (PPR0), for one piece; where no price gives the line's amount, none is sent as "-", so
-- that S/4HANA refuses the order.
WITH given AS (
    SELECT write_id, currency, generate_subscripts(items, 1) AS place, unnest(items) AS item
    FROM (
        SELECT write_id, currency, from_json(
            lines, '[{"product":"VARCHAR","quantity":"DECIMAL(18,4)","amount_minor":"BIGINT"}]'
        ) AS items
        FROM desired
    )
),
lines AS (
    SELECT
        write_id,
        list({
            'Material': item.product,
            'RequestedQuantity': CAST(CAST(item.quantity AS DECIMAL(15, 3)) AS VARCHAR),
            'to_PricingElement': [{
                'ConditionType': 'PPR0',
                'ConditionRateValue': coalesce(
                    CAST(unit_price(item.amount_minor, item.quantity, currency) AS VARCHAR), '-'
                ),
                'ConditionCurrency': currency
            }]
        } ORDER BY place) AS lines
    FROM given
    GROUP BY write_id
)
SELECT
    writes.write_id,
    writes.operation,
    writes.link_id,
    writes.record_id,
    desired.number AS external_id,
    'A_SalesOrder' AS object,
    to_json({
        'SalesOrderType': 'OR',
        'SalesOrganization': desired.legal_entity,
        'DistributionChannel': '10',
        'OrganizationDivision': '00',
        'SoldToParty': coalesce(partner.Customer, writes.customer),
        'SalesOrderDate': '/Date(' || epoch_ms(CAST(writes.ordered_on AS TIMESTAMP)) || ')/',
        'TransactionCurrency': writes.currency,
        'DeliveryBlockReason': CASE WHEN desired.status = 'open' THEN '01' END,
        'to_Item': lines.lines
    }) AS body,
    CAST([] AS VARCHAR[]) AS "then"
FROM writes
JOIN desired ON desired.write_id = writes.write_id
LEFT JOIN lines ON lines.write_id = writes.write_id
LEFT JOIN s4hana."A_BusinessPartner" AS partner ON partner.record_id = writes.customer AND NOT partner.is_deleted
WHERE writes.operation = 'create'
