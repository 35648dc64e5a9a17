"""The ECC stand-in keeps the contract of its files: taken whole or not at all, and told of in a later window.

Files are built by hand here, from the positions that SAP publishes, and brought by somebody else's SFTP clients.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import asyncssh
import pytest
import requests

from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.ecc import seed
from sync_pipelines.sandbox.ecc.sftp import SftpServer
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.server import serve

NOW = datetime(2026, 11, 23, 17, 15, tzinfo=UTC)
ACME = {"KUNNR": "0000100017", "NAME1": "Acme", "LAND1": "US"}


def at(width: int, **positions: str) -> str:
    """A record with texts at 1-based positions, as the tables of SAP give them: `p40="ORDERS05"`."""
    record = [" "] * width
    for place, text in positions.items():
        start = int(place[1:]) - 1
        record[start : start + len(text)] = text
    return "".join(record)


def idoc(number: int, key: str, *, customer: str = "0000100017", amount: str = "1785.00", partner: str = "SYNC") -> str:
    """An order as an IDoc."""
    docnum = f"{number:016d}"
    control = at(
        524,
        p1="EDI_DC40",
        p11="100",
        p14=docnum,
        p36="2",
        p40="ORDERS05",
        p100="ORDERS",
        p159="LS",
        p163=partner,
        p274="LS",
        p278="PRDCLNT100",
        p435=f"write-{key}",
    )
    segments = [
        ("E2EDK01005", at(357, p1="009", p5="EUR", p84=key)),
        ("E2EDK14", at(38, p1="011", p4="US01")),
        ("E2EDK03", at(17, p1="012", p4="20261123")),
        ("E2EDKA1003", at(72, p1="AG", p4=customer)),
        ("E2EDK02", at(58, p1="001", p4=key)),
        ("E2EDP01006", at(238, p1="000010", p12="3.000", p79=amount, p176="SKU-1")),
    ]
    lines = [control]
    for place, (name, data) in enumerate(segments, start=1):
        head = at(63, p1=name, p31="100", p34=docnum, p50=f"{place:06d}", p56="000000", p62="01")
        lines.append((head + data).rstrip())
    return "".join(f"{line}\r\n" for line in lines)


def drop(folder: Path, sequence: int, *idocs: str, amount: str | None = None, **said: str) -> str:
    """Put a file with its control file into the folder for orders; the name that both share."""
    stem = f"ORDERS_SYNC_20261123_181500_{sequence:06d}"
    content = "".join(idocs).encode("cp1252")
    total = amount or str(1785 * len(idocs))
    told = {
        "interface": "ORDERS",
        "version": "1",
        "sender": "SYNC",
        "sequence": str(sequence),
        "file": f"{stem}.idoc",
        "record_count": str(len(idocs)),
        "amount_total": total,
        "currency": "EUR",
        "sha256": hashlib.sha256(content).hexdigest(),
        "created_at": "2026-11-23T18:15:00+01:00",
        "encoding": "cp1252",
        "mode": "DELTA",
        **said,
    }
    place = folder / "in" / "ORDERS"
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{stem}.idoc").write_bytes(content)
    (place / f"{stem}.ctl").write_text("".join(f"{name}={value}\n" for name, value in told.items()))
    return stem


def values(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def results(folder: Path, stem: str) -> list[str]:
    return (folder / "ack" / f"{stem}.res.csv").read_text("cp1252").splitlines()[1:]


@pytest.fixture
def erp(tmp_path: Path) -> Sandbox:
    made = open_sandbox("ecc", clock=VirtualClock(NOW))
    shutil.rmtree(made.vendor.folder)
    made.vendor.move(tmp_path)
    seed(made.store, {"DEBMAS": [ACME]})
    return made


def window(erp: Sandbox) -> Mapping[str, Mapping[str, int]]:
    return erp.vendor.admin("window", None)


def test_what_is_taken_in_one_window_is_posted_and_told_in_the_next(erp: Sandbox, tmp_path: Path) -> None:
    stem = drop(tmp_path, 1, idoc(1, "SUB-42"), idoc(2, "SUB-43", customer="0000100018"), idoc(3, "SUB-42"))

    first = window(erp)
    ack = values(tmp_path / "ack" / f"{stem}.ack")
    second = window(erp)

    assert (first["taken"]["accepted"], first["posted"]["OK"], ack["record_count"]) == (1, 0, "3")
    assert ack["received_at"] == "2026-11-23T18:15:00+01:00"
    assert second["posted"] == {"OK": 1, "ERR": 1, "DUP": 1, "HELD": 0}
    assert results(tmp_path, stem) == [
        "1;SUB-42;OK;0000004701;;;",
        "2;SUB-43;ERR;;VP;204;the sold-to party does not exist",
        "3;SUB-42;DUP;0000004701;;;",
    ]
    assert erp.store.count("ORDERS") == 1
    assert not list((tmp_path / "in" / "ORDERS").iterdir())
    assert {path.name for path in (tmp_path / "arch" / "ORDERS").iterdir()} == {f"{stem}.idoc", f"{stem}.ctl"}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"record_count": "2"}, "the number of records is another"),
        ({"amount_total": "1785.01"}, "the sum of the amounts is another"),
        ({"sha256": "00"}, "the checksum is another"),
        ({"version": "2"}, "version is not 1"),
        ({"encoding": "utf-8"}, "encoding is not cp1252"),
        ({"interface": "INVOIC"}, "interface is not ORDERS"),
        ({"file": "another.idoc"}, "the checksum is another"),
    ],
)
def test_a_file_that_is_not_what_its_control_file_says_is_refused_whole(
    erp: Sandbox, tmp_path: Path, said: dict[str, str], reason: str
) -> None:
    stem = drop(tmp_path, 1, idoc(1, "SUB-42"), **said)

    window(erp)

    assert values(tmp_path / "ack" / f"{stem}.nak")["reason"] == reason
    assert not (tmp_path / "ack" / f"{stem}.ack").exists()
    assert window(erp)["posted"]["OK"] == 0
    drop(tmp_path, 2, idoc(2, "SUB-43"))
    assert window(erp)["taken"]["accepted"] == 1


def test_a_truncated_file_is_refused_whole(erp: Sandbox, tmp_path: Path) -> None:
    stem = drop(tmp_path, 1, idoc(1, "SUB-42"), idoc(2, "SUB-43"))
    path = tmp_path / "in" / "ORDERS" / f"{stem}.idoc"
    path.write_bytes(path.read_bytes()[:900])

    window(erp)

    assert (tmp_path / "ack" / f"{stem}.nak").exists()
    assert window(erp)["posted"]["OK"] == erp.store.count("ORDERS") == 0


def test_a_file_without_a_control_file_and_one_under_a_temporary_name_are_left_alone(
    erp: Sandbox, tmp_path: Path
) -> None:
    stem = drop(tmp_path, 1, idoc(1, "SUB-42"))
    control = tmp_path / "in" / "ORDERS" / f"{stem}.ctl"
    control.rename(control.with_suffix(".ctl.part"))

    assert window(erp)["taken"] == {"accepted": 0, "refused": 0, "repeated": 0, "held": 0}
    control.with_suffix(".ctl.part").rename(control)
    assert window(erp)["taken"]["accepted"] == 1


def test_behind_a_gap_files_wait_and_a_repeat_is_known_by_its_content(erp: Sandbox, tmp_path: Path) -> None:
    drop(tmp_path, 2, idoc(2, "SUB-43"))
    assert window(erp)["taken"]["held"] == 1

    drop(tmp_path, 1, idoc(1, "SUB-42"))
    assert window(erp)["taken"]["accepted"] == 2

    drop(tmp_path, 1, idoc(1, "SUB-42"))
    assert window(erp)["taken"]["repeated"] == 1
    stem = drop(tmp_path, 1, idoc(1, "SUB-44"))
    assert window(erp)["taken"]["refused"] == 1
    assert "same sequence" in values(tmp_path / "ack" / f"{stem}.nak")["reason"]
    assert erp.store.count("ORDERS") == 2


def test_a_sender_without_a_partner_profile_posts_nothing(erp: Sandbox, tmp_path: Path) -> None:
    stem = drop(tmp_path, 1, idoc(1, "SUB-42", partner="STRANGER"))

    window(erp)
    window(erp)

    assert results(tmp_path, stem) == ["1;SUB-42;ERR;;E0;337;no partner profile for the sender"]


def test_a_posting_run_may_get_through_a_part_and_a_freeze_holds_everything(erp: Sandbox, tmp_path: Path) -> None:
    stem = drop(tmp_path, 1, idoc(1, "SUB-42"), idoc(2, "SUB-43"))
    window(erp)

    erp.vendor.admin("settings", {"frozen": True})
    window(erp)
    assert [line.split(";")[2] for line in results(tmp_path, stem)] == ["HELD", "HELD"]

    erp.vendor.admin("settings", {"frozen": False, "results": 1})
    window(erp)
    assert [line.split(";")[2] for line in results(tmp_path, stem)] == ["OK", "HELD"]
    window(erp)
    assert [line.split(";")[2] for line in results(tmp_path, stem)] == ["OK", "OK"]


def test_an_extract_is_full_at_first_and_then_tells_what_changed(erp: Sandbox, tmp_path: Path) -> None:
    window(erp)
    erp.vendor.admin("put", {"interface": "DEBMAS", "row": {"NAME1": "Größe; Söhne", "LAND1": "DE"}})
    erp.vendor.admin("delete", {"interface": "DEBMAS", "number": "0000100017"})
    window(erp)
    window(erp)

    first, second = sorted((tmp_path / "out" / "DEBMAS").glob("*.ctl"))
    full, delta = values(first), values(second)
    assert (full["mode"], full["record_count"], full["live_count"], full["sequence"]) == ("FULL", "1", "1", "1")
    assert (delta["mode"], delta["record_count"], delta["live_count"], delta["sequence"]) == ("DELTA", "2", "1", "2")
    content = second.with_suffix(".csv").read_bytes()
    assert hashlib.sha256(content).hexdigest() == delta["sha256"]
    header, created, deleted = content.decode("cp1252").splitlines()
    assert header.startswith("ACTION;KUNNR;NAME1")
    assert created.startswith('I;0000200001;"Größe; Söhne"')
    assert deleted.startswith("D;0000100017;")


def test_amounts_have_their_sign_behind_them_and_the_decimal_sign_that_is_set(erp: Sandbox, tmp_path: Path) -> None:
    erp.vendor.admin("settings", {"decimal": ","})
    item = {"POSNR": "000010", "MATNR": "SKU-1", "FKIMG": "-1.000", "NETWR": "-10.50", "MWSBP": "0.00"}
    erp.vendor.admin("put", {"interface": "INVOIC", "row": {"WAERK": "EUR", "items": [item]}})
    window(erp)

    (path,) = (tmp_path / "out" / "INVOIC").glob("*.csv")
    assert path.read_text("cp1252").splitlines()[1].endswith("000010;SKU-1;1,000-;10,50-;0,00")
    assert values(path.with_suffix(".ctl"))["amount_total"] == "-10.50"


def test_control_routes_tell_where_the_folder_is_and_drive_the_batch_job(erp: Sandbox) -> None:
    with serve(erp) as running:
        where = requests.get(f"{running.url}/", timeout=10).text
        told = requests.post(f"{running.url}/_sandbox/admin/window", timeout=10).json()
        wrong = requests.post(f"{running.url}/_sandbox/admin/settings", json={"colour": 1}, timeout=10)

    assert where == f"folder={erp.vendor.folder}\n"
    assert told["extracted"] == {"DEBMAS": 1, "ORDERS": 0, "INVOIC": 0}
    assert (wrong.status_code, "colour" in wrong.text) == (400, True)


@pytest.fixture
def served(erp: Sandbox) -> Iterator[SftpServer]:
    server = SftpServer(erp.vendor.folder).start()
    yield server
    server.stop()


def test_asyncssh_brings_a_file_and_fetches_its_acknowledgement(
    erp: Sandbox, served: SftpServer, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    aside = tmp_path_factory.mktemp("aside")
    stem = drop(aside, 1, idoc(1, "SUB-42"))

    async def bring() -> list[str]:
        options = {
            "username": "sync",
            "client_keys": [asyncssh.import_private_key(served.told["private_key"])],
            "known_hosts": ([asyncssh.import_public_key(served.told["host_key"])], [], []),
        }
        async with asyncssh.connect("127.0.0.1", served.port, **options) as link, link.start_sftp_client() as sftp:
            await sftp.makedirs("in/ORDERS", exist_ok=True)
            for name in (f"{stem}.idoc", f"{stem}.ctl"):
                await sftp.put(str(aside / "in" / "ORDERS" / name), f"in/ORDERS/{name}.part")
                await sftp.rename(f"in/ORDERS/{name}.part", f"in/ORDERS/{name}")
            await sftp.put(str(aside / "in" / "ORDERS" / f"{stem}.ctl"), "in/ORDERS/again.part")
            with pytest.raises(asyncssh.SFTPFailure):
                await sftp.rename("in/ORDERS/again.part", f"in/ORDERS/{stem}.ctl")
            window(erp)
            window(erp)
            return sorted(str(name) for name in await sftp.listdir("ack") if str(name)[0] != ".")

    assert asyncio.run(bring()) == [f"{stem}.ack", f"{stem}.res.csv"]
    assert results(tmp_path, stem) == ["1;SUB-42;OK;0000004701;;;"]


@pytest.mark.skipif(not shutil.which("sftp"), reason="there is no OpenSSH client on this machine")
def test_openssh_brings_a_file_and_fetches_its_acknowledgement(
    erp: Sandbox, served: SftpServer, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    aside = tmp_path_factory.mktemp("aside")
    stem = drop(aside, 1, idoc(1, "SUB-42"))
    run = openssh(served, aside)

    run("mkdir in/ORDERS")
    for name in (f"{stem}.idoc", f"{stem}.ctl"):
        run(f"put {aside}/in/ORDERS/{name} in/ORDERS/{name}.part\nrename in/ORDERS/{name}.part in/ORDERS/{name}")
    window(erp)
    window(erp)
    run(f"get ack/{stem}.res.csv {aside}/told.csv")

    assert (aside / "told.csv").read_text("cp1252").splitlines()[1:] == ["1;SUB-42;OK;0000004701;;;"]


def openssh(served: SftpServer, aside: Path) -> Callable[[str], None]:
    key = aside / "key"
    key.write_text(served.told["private_key"])
    key.chmod(0o600)
    (aside / "known_hosts").write_text(f"[127.0.0.1]:{served.port} {served.told['host_key']}\n")
    told = {"UserKnownHostsFile": aside / "known_hosts", "StrictHostKeyChecking": "yes", "IdentitiesOnly": "yes"}
    options = [part for name, value in told.items() for part in ("-o", f"{name}={value}")]

    def run(commands: str) -> None:
        subprocess.run(
            [
                "sftp",
                "-q",
                "-b",
                "-",
                "-F",
                "/dev/null",
                "-i",
                str(key),
                "-P",
                str(served.port),
                *options,
                "sync@127.0.0.1",
            ],
            input=commands,
            text=True,
            check=True,
            capture_output=True,
            timeout=120,
        )

    return run
