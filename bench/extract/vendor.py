"""A vendor that costs nearly nothing: Salesforce's query pages, rendered before the first call.

    python bench/extract/vendor.py RECORDS

Prints its address and serves until it is ended. It knows one object, and answers each query with all of it.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = 2000
QUERY = "/services/data/v67.0/query"
_RECORD = (
    '{"attributes":{"type":"Account","url":"/services/data/v67.0/sobjects/Account/001%(n)015d"},"Id":"001%(n)015d",'
    '"SystemModstamp":"2026-11-02T%(time)s.000+0000","IsDeleted":false,'
    '"LastModifiedById":"005%(user)015d","Sync_Id__c":%(sync_id)s,"Name":"Kestrel Größe & Söhne %(n)d",'
    '"AccountNumber":"A-%(n)07d","Tax_Id__c":"DE%(tax)09d","Billing_Email__c":"billing.%(n)d@example.com",'
    '"Phone":"+49 30 %(n)07d","Website":"https://www.example.com/%(n)d",'
    '"BillingStreet":"Unter den Linden %(user)d\\nHof %(month)d","BillingCity":"Berlin",'
    '"BillingPostalCode":"10%(user)03d","BillingCountry":"DE","Active__c":%(active)s,"MasterRecordId":null,'
    '"NumberOfEmployees":%(tax)d,"AnnualRevenue":%(revenue)d.%(second)02d,"CurrencyIsoCode":"EUR",'
    '"CreatedDate":"2024-0%(month)d-%(day)02dT08:00:%(second)02d.000+0000",'
    '"LastActivityDate":"2026-0%(month)d-%(day)02d","Industry":"%(industry)s","AccountSource":"Web","Rating":null}'
)
"""25 fields beside what Salesforce itself puts into each row: text, numbers, booleans, times, nulls."""


def main() -> None:
    """Render, say where, serve."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(int(sys.argv[1])))
    server.daemon_threads = True
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


def handler(records: int) -> type[BaseHTTPRequestHandler]:
    """What answers: a token, a count, the first page, and each page that one before it named."""
    pages = [_page(first, records) for first in range(0, records, PAGE)]
    count = json.dumps({"totalSize": records, "done": True, "records": []}).encode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            if path.startswith(f"{QUERY}/"):
                return self._answer(pages[int(path.rpartition("-")[2]) // PAGE])
            return self._answer(count if "COUNT" in query else pages[0])

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            host = f"http://{self.headers['Host']}"
            self._answer(json.dumps({"access_token": "token", "token_type": "Bearer", "instance_url": host}).encode())

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json;charset=UTF-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


def _page(first: int, records: int) -> bytes:
    after = first + PAGE
    rows = ",".join(_record(n) for n in range(first, min(after, records)))
    rest = '"done":true' if after >= records else f'"done":false,"nextRecordsUrl":"{QUERY}/01gBench-{after}"'
    return f'{{"totalSize":{records},{rest},"records":[{rows}]}}'.encode()


def _record(n: int) -> str:
    second = n // 40  # that many records of one bulk load carry the same time
    return _RECORD % {
        "n": n,
        "time": f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}",
        "second": second % 60,
        "month": 1 + n % 9,
        "day": 1 + n % 28,
        "user": n % 97,
        "sync_id": f'"sync-{n}"' if n % 3 else "null",
        "tax": n * 7,
        "active": "true" if n % 11 else "false",
        "revenue": n * 37 % 9_999_999,
        "industry": ("Retail", "Energy", "Media")[n % 3],
    }


if __name__ == "__main__":
    main()
