-- The periods of each company's books, all ledgers alike. Tryton opens a closed period again and a locked one
-- never, but posts in neither: nobody's approval lets a document in, so both are closed here. Periods of
-- adjustments overlap the others and take no documents.
SELECT
    entity.code AS legal_entity,
    CAST(NULL AS VARCHAR) AS ledger,
    make_date(period.start_date.year, period.start_date.month, period.start_date.day) AS start_on,
    make_date(period.end_date.year, period.end_date.month, period.end_date.day) AS end_on,
    CASE WHEN period.state = 'open' THEN 'open' ELSE 'closed' END AS state
FROM tryton."account.period" AS period
JOIN tryton."account.fiscalyear" AS year ON year.record_id = CAST(period.fiscalyear AS VARCHAR)
JOIN tryton."company.company" AS company ON company.record_id = CAST(year.company AS VARCHAR)
JOIN tryton."party.party" AS entity ON entity.record_id = CAST(company.party AS VARCHAR)
WHERE period.type = 'standard' AND NOT period.is_deleted
