"""Options that several commands share, and how errors are told."""

from pathlib import Path
from typing import Annotated

import typer

RedisUrl = Annotated[str | None, typer.Option(help="Redis of the series, jobs and alerts.")]
BlobUrl = Annotated[str | None, typer.Option(help="Redis of the frames; default the same.")]
Host = Annotated[str | None, typer.Option(help="Address to listen on (default 127.0.0.1).")]
Port = Annotated[int | None, typer.Option(help="Port (default 8000; 0 takes a free one).")]
Home = Annotated[Path | None, typer.Option(help="Data, models, endpoint (default ~/.sqd).")]
Device = Annotated[str | None, typer.Option(help="auto, cpu or cuda:N (default auto).")]
Quality = Annotated[str | None, typer.Option(help="What computes Q (default faces).")]
Embedder = Annotated[
    str | None, typer.Option(help="faces100, an ONNX file or an insightface pack.")
]
Reference = Annotated[
    str | None, typer.Option(help="faces100, a file or a set in HOME/references.")
]
Token = Annotated[str | None, typer.Option(help="Needed to listen beyond loopback.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Log more.")]
