"""RunConfig: the one record of everything that changes a number."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from essay_scoring.core.errors import InputError
from essay_scoring.core.files import parsed, read_json
from essay_scoring.core.fingerprint import fingerprint
from essay_scoring.core.names import Name
from essay_scoring.core.settings import Settings, build_settings, read_toml
from essay_scoring.data.data_settings import DataSettings
from essay_scoring.features.feature_settings import FeatureSettings
from essay_scoring.models.scorer_settings import ScorerSettings, TrainingSettings
from essay_scoring.records.presets import PRESETS, settings_file
from essay_scoring.statistics.predictions import is_transductive

Baseline = Literal["mean", "length", "ridge"]


class EvaluationSettings(Settings):
    """What counts as a large prompt, how many of the worst are listed, bootstrap replicates.

    `prompt_probe` asks for prompt_probe.json of a run that would otherwise have none.
    """

    min_prompt_n: int = Field(default=30, ge=2)
    bottom_k: int = Field(default=5, ge=1)
    replicates: int = Field(default=2000, ge=100, le=100_000)
    prompt_probe: bool = False


class RunConfig(Settings):
    """One cross-validated run, from the corpus to the figures."""

    name: Name
    seed: int = Field(default=42, ge=0, lt=2**31)
    scheme: Literal["stratified_text", "prompt_holdout"] = "prompt_holdout"
    splits_path: str | None = None
    data: DataSettings
    features: FeatureSettings = FeatureSettings()
    scorer: ScorerSettings
    training: TrainingSettings = TrainingSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    baselines: tuple[Baseline, ...] = ("mean", "length", "ridge")

    @property
    def transductive(self) -> bool:
        """Whether a score depends on the unlabelled essays of its prompt that are scored with it.

        Columns standardised by prompt make it so, and a mapping that matches each prompt's spread.
        """
        return self.features.standardise_by_prompt or is_transductive(self.training.mapping)


def load_run_config(path: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Return the config of a TOML file, a preset or a saved config.json.

    Each `a.b=value` of `overrides` is laid over it.
    """
    values = read_json(path) if path.suffix == ".json" else read_extended_toml(path)
    if not isinstance(values, dict):
        raise InputError("holds no table of settings", where=str(path), mend="check the file")
    return build_settings(RunConfig, apply_overrides(values, overrides), str(path))


def read_extended_toml(path: Path) -> dict[str, Any]:
    """Return a TOML file's tables laid over those of what its `extends` names, and so on.

    Those are files relative to it, or presets; of several, each is laid over those before it.
    """
    merged: dict[str, Any] = {}
    for _, layer in _layers(settings_file(path)):
        merged = lay_over(merged, layer)
    return merged


def extended_files(path: Path) -> list[Path]:
    """Return a TOML file and those that it extends, but for presets, as each is named."""
    files = [file for file, _ in _layers(settings_file(path))]
    return [file for file in reversed(files) if not file.resolve().is_relative_to(PRESETS)]


def _layers(path: Path, above: tuple[Path, ...] = ()) -> list[tuple[Path, dict[str, Any]]]:
    """Return the files that a TOML file extends, then the file, each with its own tables.

    `above` are the files that extend it.
    """
    if path.resolve() in above:
        raise InputError("extends itself", where=str(path), mend="break the circle")
    values = read_toml(path)
    named = values.pop("extends", [])
    bases = [named] if isinstance(named, str) else named
    if not isinstance(bases, list) or not all(isinstance(base, str) for base in bases):
        raise InputError(
            "extends: not the path of a file", where=str(path), mend="write it as text"
        )
    below: list[tuple[Path, dict[str, Any]]] = []
    for base in bases:
        below += _layers(settings_file(base, path.parent), (*above, path.resolve()))
    return [*below, (path, values)]


def lay_over(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `top` laid over it, table by table.

    A table that names another `family`, `kind` or `method` replaces the one below, since the keys
    of one family mean nothing to another.
    """
    out = dict(base)
    for key, value in top.items():
        below = out.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            changes_kind = any(tag in value and value[tag] != below.get(tag) for tag in _TAGS)
            out[key] = dict(value) if changes_kind else lay_over(below, value)
        else:
            out[key] = value
    return out


_MOST_KEYS = 20
_TAGS = ("family", "kind", "method")


def apply_overrides(values: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return the tables with each `a.b=value` laid over them; values are read as TOML."""
    out = dict(values)
    for override in overrides:
        path, separator, text = override.partition("=")
        keys = path.strip().split(".")
        if not separator or not all(keys):
            raise InputError(
                f"override {override!r} is not of the form a.b=value",
                mend="write for example --set scorer.max_depth=4",
            )
        if len(keys) > _MOST_KEYS:
            raise InputError(f"override {override[:80]!r} is too deep", mend="correct it")
        layer: Any = _toml_value(text.strip())
        for key in reversed(keys):
            layer = {key: layer}
        out = lay_over(out, layer)
    return out


def config_values(config: RunConfig) -> dict[str, Any]:
    """Return the config as plain JSON values: what config.json holds and what is fingerprinted."""
    return json.loads(config.model_dump_json())  # type: ignore[no-any-return]


def shown_config(values: Mapping[str, object]) -> dict[str, object]:
    """Return a config's plain values as a page shows them: of what prompts asked, the length."""
    features = values.get("features")
    texts = features.get("prompt_texts") if isinstance(features, Mapping) else None
    if not isinstance(features, Mapping) or not isinstance(texts, Mapping):
        return dict(values)
    lengths = {name: f"(text of {len(str(text)):,} characters)" for name, text in texts.items()}
    return {**values, "features": {**features, "prompt_texts": lengths}}


def run_identity(
    config: dict[str, Any], *, data: str, splits: str, code: str, versions: Mapping[str, str]
) -> str:
    """Return the hash of all that can change a run's predictions, but for the machine.

    `config` are a config's plain values; `data`, `splits` and `code` sha256 each; `versions` those
    of the packages that compute numbers.
    """
    return fingerprint(
        {"config": config, "data": data, "splits": splits, "code": code, "versions": versions}
    )


def run_folder_name(name: str, identity: str) -> str:
    """Return the folder name of a run: its name and its identity, shortened."""
    return f"{name}-{identity[:12]}"


def _toml_value(text: str) -> Any:
    """Return a TOML value, or the text itself where it is none: plain words need no quotes."""
    try:
        return parsed(tomllib.loads, f"value = {text}", "TOML", "--set")["value"]
    except InputError:
        return text
