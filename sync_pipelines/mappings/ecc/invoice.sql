-- Invoices, and credit memos, whose amounts are positive in SAP and negative here. One that was cancelled, and the
-- document that cancels it, count no more. The day of posting is told where it is another than the document's own.
SELECT
    document.record_id,
    document.version,
    document.is_deleted,
    coalesce(document.XBLNR, document.VBELN) AS label,
    coalesce(document.XBLNR, document.VBELN) AS number,
    CASE WHEN document.VBTYP IN ('O', 'S') THEN 'credit' ELSE 'invoice' END AS kind,
    document.BUKRS AS legal_entity,
    document.KUNNR AS customer,
    document.FKDAT AS issued_on,
    CASE WHEN document.BUDAT <> document.FKDAT THEN document.BUDAT END AS posting_on,
    CASE WHEN document.FKSTO IS NOT NULL OR document.VBTYP IN ('N', 'S') THEN 'void' ELSE 'posted' END AS status,
    document.WAERK AS currency,
    way * minor(coalesce(list_sum([item.NETWR FOR item IN document.items]), 0), document.WAERK) AS net_minor,
    way * minor(coalesce(list_sum([item.MWSBP FOR item IN document.items]), 0), document.WAERK) AS tax_minor,
    way * minor(
        coalesce(list_sum([item.NETWR + coalesce(item.MWSBP, 0) FOR item IN document.items]), 0), document.WAERK
    ) AS total_minor,
    CAST(to_json([{
        'product': item.MATNR,
        'quantity': regexp_replace(CAST(way * item.FKIMG AS VARCHAR), '\.?0+$', ''),
        'amount_minor': way * minor(item.NETWR, document.WAERK)
    } FOR item IN document.items]) AS VARCHAR) AS lines
FROM (SELECT *, CASE WHEN VBTYP IN ('O', 'S') THEN -1 ELSE 1 END AS way FROM ecc.INVOIC) AS document
