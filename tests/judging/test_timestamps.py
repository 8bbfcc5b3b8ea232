"""Timestamps of registered plans, from a real authority of our own on this machine."""

from __future__ import annotations

import datetime
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from essay_scoring.core.errors import EvidenceError, InputError
from essay_scoring.judging.timestamps import timestamped
from essay_scoring.records.judgements import Registration
from essay_scoring.records.ledger import Ledger
from essay_scoring.records.more_records import RegisterEntry
from tests.ledger_lines import registered_plan

SETTINGS = """
[tsa]
default_tsa = made
[made]
serial = {folder}/serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
ess_cert_id_alg = sha256
[req]
distinguished_name = name
prompt = no
[name]
CN = made
[use]
extendedKeyUsage = critical,timeStamping
"""


def openssl(folder: Path, *words: str) -> str:
    """Run openssl in a folder and return what it prints."""
    done = subprocess.run(
        ["openssl", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class Authority(HTTPServer):
    """A timestamp server on a port of its own; `answers` counts its answers."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.answers, self.refuses = folder, 0, False
        self.url = f"http://127.0.0.1:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: Authority

    def do_POST(self) -> None:
        folder = self.server.folder
        request = self.rfile.read(int(self.headers["Content-Length"]))
        (folder / "asked.tsq").write_bytes(request)
        self.server.answers += 1
        openssl(
            folder, "ts", "-reply", "-config", "made.cnf", "-queryfile", "asked.tsq",
            "-signer", "cert.pem", "-inkey", "key.pem", "-out", "answer.tsr",
        )  # fmt: skip
        answer = (folder / "answer.tsr").read_bytes()
        self.send_response(200)
        self.end_headers()
        # A response that is nothing but the status 2, rejection.
        self.wfile.write(bytes.fromhex("30053003020102") if self.server.refuses else answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("authority")
    (folder / "made.cnf").write_text(SETTINGS.format(folder=folder))
    (folder / "serial").write_text("01")
    openssl(
        folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", "key.pem", "-out", "cert.pem", "-config", "made.cnf", "-extensions", "use",
    )  # fmt: skip
    server = Authority(folder)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def registered(folder: Path) -> tuple[Registration, Ledger[RegisterEntry]]:
    """Return a register of two lines, and the registration that is the second."""
    register = Ledger(folder / "plan_register.jsonl", RegisterEntry)
    with register.held():
        register.append(registered_plan("first"))
        register.append(registered_plan("lift"))
    registration = Registration(
        entry=2,
        plan="lift",
        plan_sha256="0" * 64,
        data_sha256="0" * 64,
        splits_sha256="0" * 64,
        code_revision="0" * 64,
        time="",
    )
    return registration, register


def test_a_token_is_what_openssl_takes_for_the_line(authority: Authority, tmp_path: Path) -> None:
    registration, register = registered(tmp_path)
    stamp = timestamped(registration, register, authority.url)
    assert abs(stamp.time - datetime.datetime.now(datetime.UTC)).total_seconds() < 60
    line = tmp_path / "line"
    line.write_text(register.path.read_text().splitlines()[1])
    checked = openssl(
        authority.folder, "ts", "-verify", "-data", str(line), "-in", str(stamp.path),
        "-CAfile", "cert.pem",
    )  # fmt: skip
    assert "OK" in checked
    checked = openssl(
        authority.folder, "ts", "-verify", "-digest", stamp.digest, "-in", str(stamp.path),
        "-CAfile", "cert.pem",
    )  # fmt: skip
    assert "OK" in checked


def test_a_token_is_asked_for_once_and_holds_for_its_line_alone(
    authority: Authority, tmp_path: Path
) -> None:
    registration, register = registered(tmp_path)
    before = authority.answers
    first = timestamped(registration, register, authority.url)
    assert timestamped(registration, register, authority.url) == first
    assert authority.answers == before + 1
    other = first.path.with_name("plan_register.1.tsr")
    shutil.copy(first.path, other)
    with pytest.raises(EvidenceError, match="of something else"):
        timestamped(registration.model_copy(update={"entry": 1}), register, authority.url)


@pytest.mark.parametrize("cut", [0, 1, 10, 200])
def test_a_damaged_token_is_one_line(authority: Authority, tmp_path: Path, cut: int) -> None:
    registration, register = registered(tmp_path)
    path = timestamped(registration, register, authority.url).path
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises((EvidenceError, InputError), match="timestamp"):
        timestamped(registration, register, authority.url)


def test_a_server_that_refuses_or_is_not_there_leaves_no_token(
    authority: Authority, tmp_path: Path
) -> None:
    registration, register = registered(tmp_path)
    authority.refuses = True
    try:
        with pytest.raises(InputError, match="refuses"):
            timestamped(registration, register, authority.url)
    finally:
        authority.refuses = False
    for url, said in (("http://127.0.0.1:9/", "no timestamp came"), ("file:///etc", "web address")):
        with pytest.raises(InputError, match=said):
            timestamped(registration, register, url)
    assert not list(tmp_path.glob("*.tsr"))
