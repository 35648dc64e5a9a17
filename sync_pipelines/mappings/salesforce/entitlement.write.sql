-- A new entitlement is named after its product and its customer, so that people find it.
SELECT
    writes.write_id,
    writes.operation,
    writes.link_id,
    writes.record_id,
    writes.external_id,
    'Entitlement' AS object,
    to_json({
        'Name': CASE
            WHEN writes.operation = 'create' THEN left(concat_ws(' for ', coalesce(product.Name, writes.number), account.Name), 255)
        END,
        'Entitlement_Number__c': writes.number,
        'AccountId': writes.customer,
        'Product__c': writes.product,
        'Quantity__c': writes.quantity,
        'StartDate': writes.start_on,
        'EndDate': CASE WHEN list_contains(writes.cleared, 'end_on') THEN nothing() ELSE to_json(writes.end_on) END
    }) AS body,
    CAST([] AS VARCHAR[]) AS "then"
FROM writes
LEFT JOIN salesforce.Product2 AS product ON product.record_id = writes.product
LEFT JOIN salesforce.Account AS account ON account.record_id = writes.customer
