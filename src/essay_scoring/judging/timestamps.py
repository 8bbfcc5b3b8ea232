"""An outside timestamp of a line of the register (RFC 3161): an authority's word on its time.

Only the line's SHA-256 leaves the machine. The token is kept as it came; whether its signature is
an authority's that one trusts is for `openssl ts -verify` to say.
"""

from __future__ import annotations

import datetime
import hashlib
import secrets
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from essay_scoring.core.errors import EvidenceError, InputError
from essay_scoring.core.files import write_bytes
from essay_scoring.records.judgements import Registration
from essay_scoring.records.ledger import Ledger
from essay_scoring.records.more_records import RegisterEntry

_SECONDS, _MOST_BYTES = 30, 1 << 20
_SEQUENCE, _INTEGER, _OCTETS, _TIME = 0x30, 0x02, 0x04, 0x18
_TRUE, _ONE, _NULL = b"\x01\x01\xff", b"\x02\x01\x01", b"\x05\x00"
_SHA256 = bytes.fromhex("0609608648016503040201")
_STAMP = bytes.fromhex("060b2a864886f70d0109100104")
"""Object identifiers: the hash function, and what marks a token's content as a timestamp."""


@dataclass(frozen=True)
class Timestamp:
    """A token as it lies on disk, and the time that it gives, UTC."""

    path: Path
    time: datetime.datetime
    digest: str


def timestamped(registration: Registration, register: Ledger[RegisterEntry], url: str) -> Timestamp:
    """Return the timestamp of a registration's line, asked of the server where there is none yet.

    It is kept beside the register as NAME.ENTRY.tsr. Raises InputError for a server that does not
    answer or refuses, EvidenceError for a token of something else.
    """
    line = register.line(registration.entry).encode()
    digest = hashlib.sha256(line).digest()
    path = register.path.with_suffix(f".{registration.entry}.tsr")
    if not path.is_file():
        nonce = secrets.randbits(63)
        answer = _asked(url, _request(digest, nonce))
        _stamped_time(answer, digest, where=url, nonce=nonce)
        write_bytes(path, answer)
    time = _stamped_time(path.read_bytes(), digest, where=str(path))
    return Timestamp(path, time, digest.hex())


def _asked(url: str, request: bytes) -> bytes:
    if urlsplit(url).scheme not in ("http", "https"):
        raise InputError("not a web address", where=url, mend="give one of http:// or https://")
    asked = urllib.request.Request(  # noqa: S310 - its scheme was looked at
        url, data=request, headers={"Content-Type": "application/timestamp-query"}
    )
    try:
        with urllib.request.urlopen(asked, timeout=_SECONDS) as answer:  # noqa: S310
            return bytes(answer.read(_MOST_BYTES))
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise InputError(
            f"the plan is registered, but no timestamp came ({error})",
            where=url,
            mend="give the same command again, or another server",
        ) from None


def _request(digest: bytes, nonce: int) -> bytes:
    """Return a TimeStampReq: version, hash, nonce, and that the certificate is wanted."""
    imprint = _der(_SEQUENCE, _der(_SEQUENCE, _SHA256, _NULL), _der(_OCTETS, digest))
    number = nonce.to_bytes(nonce.bit_length() // 8 + 1, "big")
    return _der(_SEQUENCE, _ONE, imprint, _der(_INTEGER, number), _TRUE)


def _stamped_time(
    answer: bytes, digest: bytes, *, where: str, nonce: int | None = None
) -> datetime.datetime:
    """Return the time in a TimeStampResp, having checked that it is of this hash (and request)."""
    try:
        (_, response), *_ = _parts(answer)
        (_, status), *token = _parts(response)
        granted = next(_parts(status))[1] in (b"\x00", b"\x01")
        info = _stamp(token[0][1]) if granted and token else b""
        fields = list(_parts(info)) if info else []
        if not fields:
            raise InputError("the server refuses a timestamp", where=where, mend="ask another")
        own = next(part for tag, part in _parts(fields[2][1]) if tag == _OCTETS)
        time = next(part for tag, part in fields if tag == _TIME)
        numbers = [int.from_bytes(part, "big") for tag, part in fields[4:] if tag == _INTEGER]
        said = time.decode("ascii").removesuffix("Z").partition(".")[0]
        when = datetime.datetime.strptime(said, "%Y%m%d%H%M%S").replace(tzinfo=datetime.UTC)
    except (IndexError, ValueError, StopIteration):
        raise EvidenceError("no timestamp of RFC 3161", where=where, mend="remove it") from None
    if own != digest or (nonce is not None and nonce not in numbers):
        raise EvidenceError(
            "a timestamp of something else", where=where, mend="remove it, or ask another server"
        )
    return when


def _stamp(token: bytes) -> bytes:
    """Return the TSTInfo of a token: the octets that follow its content type."""
    at = token.index(_STAMP) + len(_STAMP)
    (_, wrapped), *_ = _parts(token[at:])
    (_, octets), *_ = _parts(wrapped)
    (_, info), *_ = _parts(octets)
    return info


def _der(tag: int, *parts: bytes) -> bytes:
    """Return parts as one element of fewer than 128 bytes."""
    content = b"".join(parts)
    return bytes([tag, len(content)]) + content


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of each element that stands in `data`; ValueError past its end."""
    at = 0
    while at < len(data):
        tag, size, start = data[at], data[at + 1], at + 2
        if size > 0x7F:
            start, size = start + size - 0x80, int.from_bytes(data[start : start + size - 0x80])
        if start + size > len(data):
            raise ValueError("an element that is cut off")
        yield tag, data[start : start + size]
        at = start + size
