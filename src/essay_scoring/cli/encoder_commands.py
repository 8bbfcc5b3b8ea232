"""Commands on encoders: list, fetch, verify."""

from __future__ import annotations

from typing import Annotated

import typer

from essay_scoring.cli.help_pages import GroupedCommands, PlainCommand
from essay_scoring.cli.options import CACHE, CacheFolder

app = typer.Typer(
    cls=GroupedCommands,
    help="Frozen encoders: which are known, here and intact.",
    no_args_is_help=True,
)

EncoderName = Annotated[str, typer.Argument(help="A name that `encoder list` shows.")]


@app.command("list", cls=PlainCommand)
def list_all(cache_dir: CacheFolder = CACHE) -> None:
    """Show every known encoder, where it comes from and whether it is here. Writes nothing."""
    from essay_scoring.features.encoders import list_encoders

    for row in list_encoders(cache_dir / "encoders"):
        here = "present" if row.present else "absent"
        typer.echo(
            f"{row.name}\t{row.parameters}\t{row.licence}\t{row.source}\t{here}\t{row.sha256}"
        )


@app.command(cls=PlainCommand)
def fetch(
    name: EncoderName,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Accept a licence that has to be accepted.")
    ] = False,
    cache_dir: CacheFolder = CACHE,
) -> None:
    """Show an encoder's licence, bring it into CACHE/encoders/ and check its hash."""
    from essay_scoring.cli.progress_display import progress_display
    from essay_scoring.features.encoders import REGISTRY, fetch_encoder

    if name in REGISTRY:
        typer.echo(f"licence: {REGISTRY[name].licence}")
    folder = fetch_encoder(
        name, cache_dir / "encoders", progress_display(), licence_accepted=accept_licence
    )
    typer.echo(f"encoder: {folder}")


@app.command(cls=PlainCommand)
def verify(name: EncoderName, cache_dir: CacheFolder = CACHE) -> None:
    """Check an encoder's weights against the pinned sha256; exit 2 where they differ."""
    from essay_scoring.features.encoders import verify_encoder

    folder = verify_encoder(name, cache_dir / "encoders")
    typer.echo(f"intact: {folder.path} sha256 {folder.sha256}")
