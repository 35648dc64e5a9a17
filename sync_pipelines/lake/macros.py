"""What mapping SQL may call: money and business dates, the same rules as in `domains.money`, and nothing."""

from __future__ import annotations

import json

from sync_pipelines.domains.money import THREE_DECIMALS, ZERO_DECIMALS
from sync_pipelines.engine.plan import NOTHING


def _listed(codes: frozenset[str]) -> str:
    return ", ".join(f"'{code}'" for code in sorted(codes))


_ZERO, _THREE = _listed(ZERO_DECIMALS), _listed(THREE_DECIMALS)
_EXPONENT = f"CASE WHEN upper(currency) IN ({_ZERO}) THEN 0 WHEN upper(currency) IN ({_THREE}) THEN 3 ELSE 2 END"
_UNITS = f"CASE WHEN upper(currency) IN ({_ZERO}) THEN 1 WHEN upper(currency) IN ({_THREE}) THEN 1000 ELSE 100 END"
_UNIT = (
    f"CASE WHEN upper(currency) IN ({_ZERO}) THEN 1.000 WHEN upper(currency) IN ({_THREE}) THEN 0.001 ELSE 0.010 END"
)

_PRICE = "major(amount_minor, currency) / quantity"
"""Of four places; where that price times the quantity is another amount, there is none: nothing is a cent off."""

# Products of decimals are exact; DuckDB's division would go through a float.
MACROS = (
    f"CREATE OR REPLACE TEMP MACRO exponent(currency) AS {_EXPONENT}",
    f"CREATE OR REPLACE TEMP MACRO minor(amount, currency) AS CAST(amount * {_UNITS} AS BIGINT)",
    f"""CREATE OR REPLACE TEMP MACRO major(amount_minor, currency) AS
        CAST(CAST(amount_minor AS DECIMAL(24, 0)) * CAST({_UNIT} AS DECIMAL(4, 3)) AS DECIMAL(18, 4))""",
    f"""CREATE OR REPLACE TEMP MACRO unit_price(amount_minor, quantity, currency) AS CASE WHEN
        abs(CAST({_PRICE} AS DECIMAL(18, 4)) * quantity - major(amount_minor, currency)) * 2 < {_UNIT}
        THEN CAST({_PRICE} AS DECIMAL(18, 4)) END""",
    "CREATE OR REPLACE TEMP MACRO business_date(instant, zone) AS CAST(timezone(zone, instant) AS DATE)",
    f"CREATE OR REPLACE TEMP MACRO nothing() AS CAST('{json.dumps(NOTHING)}' AS JSON)",
)
