"""Makes the ERP's template database: modules, then a company with books; runs as a process of its own.

`python -m sync_pipelines.sandbox.erp.setup DATABASE` fills an empty PostgreSQL database. Where it is (PGHOST,
PGUSER), Tryton's settings and the file with the administrator's password (TRYTONPASSFILE) come from the
environment. The company is set up through proteus, Tryton's own client library.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import proteus
from trytond import admin, backend, commandline

from sync_pipelines.sandbox.erp.books import (
    ACCOUNTS,
    CATEGORY,
    COMPANY,
    COUNTRIES,
    CURRENCIES,
    TAX,
    WITH_TAX,
    WITHOUT_TAX,
    YEAR,
)

MODULES = (
    "account",
    "account_invoice",
    "account_product",
    "company",
    "country",
    "currency",
    "party",
    "product",
    "sale",
    "sync_pipelines",
)


def main() -> None:
    """Fill the database named on the command line, telling on standard output what is being done."""
    name = sys.argv[1]
    gc.disable()
    _say("activating the ERP's modules")
    activate(name)
    _say("setting up the company")
    proteus.config.set_trytond(f"postgresql:///{name}")
    set_up_company()
    _say("done")


def activate(name: str) -> None:
    """Create the tables of all modules in one pass; the password is read from the file TRYTONPASSFILE."""
    wanted = ["--database", name, "--activate-dependencies", "--no-indexes", "--email", "admin@example.test"]
    options = commandline.get_parser_admin().parse_args([*wanted, "--update", "ir", "res", *MODULES])
    admin.run(options)
    backend.Database(name).close()


def set_up_company() -> None:
    """The company, its chart of accounts, fiscal year and tax rules, and the category of what it sells."""
    config = proteus.config.get_config()
    countries = _model("country.country")
    proteus.Model.save([countries(code=code, name=name) for code, name in COUNTRIES.items()])
    currencies = {row[0]: _currency(*row) for row in CURRENCIES}
    company = _company(config, currencies["USD"])
    accounts = _accounts(company)
    _fiscal_year(company)
    tax = _tax(accounts)
    _tax_rules(tax)
    _category(accounts, tax)


def _model(name: str) -> Any:
    return proteus.Model.get(name)


def _say(what: str) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def _currency(code: str, name: str, number: str, rounding: str, digits: int, rate: str) -> Any:
    currency = _model("currency.currency")(name=name, code=code, numeric_code=number, symbol=code)
    currency.rounding = Decimal(rounding)
    currency.digits = digits
    currency.rates.new(date=date(YEAR - 1, 1, 1), rate=Decimal(rate))
    currency.save()
    return currency


def _company(config: Any, currency: Any) -> Any:
    """The company of the books, with the administrator as its employee, without whom no sale is quoted."""
    code, name = COMPANY
    party = _model("party.party")(code=code, name=name)
    party.save()
    wizard = proteus.Wizard("company.company.config")
    wizard.execute("company")
    wizard.form.party = party
    wizard.form.currency = currency
    wizard.form.timezone = "America/New_York"
    wizard.execute("add")
    (company,) = _model("company.company").find()
    clerk = _model("party.party")(code=f"{code}-INT", name="Integration")
    clerk.save()
    employee = _model("company.employee")(party=clerk, company=company)
    employee.save()
    user = _model("res.user")(config.user)
    user.companies.append(company)
    user.company = company
    user.employees.append(employee)
    user.employee = employee
    user.save()
    config._context = _model("res.user").get_preferences(True, {})
    return company


def _accounts(company: Any) -> dict[str, Any]:
    """Tryton's universal chart of accounts, and the accounts that the rest of the set-up names."""
    chart = _model("ir.model.data").get_id("account.account_template_root_en", {})
    wizard = proteus.Wizard("account.create_chart")
    wizard.execute("account")
    wizard.form.account_template = _model("account.account.template")(chart)
    wizard.form.company = company
    wizard.execute("create_account")
    account = _model("account.account")
    found = {use: account.find([("code", "=", code)])[0] for use, code in ACCOUNTS.items()}
    for kind in ("payable", "expense"):
        found[kind] = account.find([(f"type.{kind}", "=", True), ("closed", "!=", True)], limit=1)[0]
    wizard.form.account_receivable = found["receivable"]
    wizard.form.account_payable = found["payable"]
    wizard.form.category_account_revenue = found["revenue"]
    wizard.form.category_account_expense = found["expense"]
    wizard.execute("create_properties")
    books = _model("account.configuration")(1)
    books.currency_exchange_credit_account = books.currency_exchange_debit_account = found["exchange"]
    books.save()
    return found


def _fiscal_year(company: Any) -> None:
    """Monthly periods, all open, and the sequences that number moves and the ERP's own invoices."""
    year = _model("account.fiscalyear")(name=str(YEAR), company=company)
    year.start_date, year.end_date = date(YEAR, 1, 1), date(YEAR, 12, 31)
    year.move_sequence = _sequence("Account Move", company)
    invoices = _sequence("Invoice", company)
    (sequences,) = year.invoice_sequences
    for field in ("out_invoice", "in_invoice", "out_credit_note", "in_credit_note"):
        setattr(sequences, f"{field}_sequence", invoices)
    year.save()
    year.click("create_period")


def _sequence(kind: str, company: Any) -> Any:
    (sequence_type,) = _model("ir.sequence.type").find([("name", "=", kind)], limit=1)
    sequence = _model("ir.sequence.strict")(name=f"{kind} {YEAR}", company=company)
    sequence.sequence_type = sequence_type
    sequence.save()
    return sequence


def _tax(accounts: Mapping[str, Any]) -> Any:
    tax = _model("account.tax")(name=TAX, description=TAX, type="percentage", rate=Decimal("0.20"))
    tax.invoice_account = tax.credit_note_account = accounts["tax"]
    tax.save()
    return tax


def _tax_rules(tax: Any) -> None:
    """Whether a customer's documents carry the tax is a property of the party."""
    for name, replacement in ((WITH_TAX, tax), (WITHOUT_TAX, None)):
        rule = _model("account.tax.rule")(name=name, kind="sale")
        rule.lines.new(origin_tax=tax, tax=replacement)
        rule.save()


def _category(accounts: Mapping[str, Any], tax: Any) -> None:
    category = _model("product.category")(name=CATEGORY, accounting=True)
    category.account_revenue = accounts["revenue"]
    category.account_expense = accounts["expense"]
    category.customer_taxes.append(tax)
    category.save()


if __name__ == "__main__":
    main()
