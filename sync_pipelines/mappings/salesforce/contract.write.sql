-- What billing decides about a contract is its status.
SELECT
    write_id,
    operation,
    link_id,
    record_id,
    external_id,
    'Contract' AS object,
    to_json({
        'Status': CASE status WHEN 'draft' THEN 'Draft' WHEN 'active' THEN 'Activated' WHEN 'ended' THEN 'Expired' END
    }) AS body,
    CAST([] AS VARCHAR[]) AS "then"
FROM writes
