"""What mapping SQL may call: money and business dates, the same rules as in `domains.money`."""

from __future__ import annotations

from sync_pipelines.domains.money import THREE_DECIMALS, ZERO_DECIMALS


def _listed(codes: frozenset[str]) -> str:
    return ", ".join(f"'{code}'" for code in sorted(codes))


_FACTOR = (
    f"CASE WHEN upper(currency) IN ({_listed(ZERO_DECIMALS)}) THEN 1 "
    f"WHEN upper(currency) IN ({_listed(THREE_DECIMALS)}) THEN 1000 ELSE 100 END"
)

MACROS = (
    f"CREATE OR REPLACE TEMP MACRO exponent(currency) AS CASE {_FACTOR} WHEN 1 THEN 0 WHEN 1000 THEN 3 ELSE 2 END",
    f"CREATE OR REPLACE TEMP MACRO minor(amount, currency) AS CAST(amount * {_FACTOR} AS BIGINT)",
    f"""CREATE OR REPLACE TEMP MACRO major(amount_minor, currency) AS
        CAST(CAST(amount_minor AS DECIMAL(18, 0)) / {_FACTOR} AS DECIMAL(18, 4))""",
    "CREATE OR REPLACE TEMP MACRO business_date(instant, zone) AS CAST(timezone(zone, instant) AS DATE)",
)
