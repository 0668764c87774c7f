"""Features of all images of a gallery, on disk: killed at any moment, it goes on where it was."""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from monitor.diversity.gallery import Gallery, printable
from monitor.diversity.pictures import read_picture
from monitor.errors import ImageError, MonitorError, ReferenceError
from monitor.protocol import Embedder, Samples

#: Images decoded and embedded at a time; two such batches of 1024 px are 200 MB.
BATCH = 32
#: Threads that decode the next batch while this one is embedded.
DECODERS = 4
#: Images tried to learn how long a feature is, where the embedder does not know.
MOST_TRIALS = 100
#: Files of a build: rows of features (NaN: left out); what became of each batch; what it is of.
FEATURES, JOURNAL, PLAN = "features.f32", "journal.jsonl", "plan.json"

#: Bytes of a feature's number.
FLOAT32_BYTES = 4

Picture = NDArray[np.uint8] | ImageError


@dataclass(frozen=True, slots=True)
class Embedded:
    """Features of a gallery.

    Attributes:
        features: (n, d) float32 in a file, not in memory; NaN for images that are left out.
        left_out: why, by file.
        unaligned: images that the embedder could not align, and took whole.
    """

    features: NDArray[np.float32]
    left_out: dict[str, str] = field(default_factory=dict)
    unaligned: int = 0


@contextmanager
def workspace(folder: Path) -> Iterator[Path]:
    """A folder for one build, held by one process at a time.

    Raises:
        ReferenceError: another process builds there, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ReferenceError(f"another build is at work in {folder}") from error
            yield folder
    except OSError as error:
        raise ReferenceError(f"{folder} cannot be written: {error.strerror}") from error


def embed_gallery(
    gallery: Gallery,
    embedder: Embedder,
    folder: Path,
    on_progress: Callable[[int], None] = lambda done: None,
) -> Embedded:
    """Features of every image; what an earlier, killed call has done is taken over.

    Args:
        gallery: the images.
        embedder: makes the features.
        folder: of this build, from `workspace`.
        on_progress: told how many images are done, at first and after each batch.

    Raises:
        ReferenceError: no image can be embedded.
    """
    dimension = embedder.dimension or _tried_dimension(gallery, embedder)
    journal = _resumed(folder, _fingerprint(gallery, embedder), dimension)
    on_progress(min(len(journal) * BATCH, len(gallery.files)))
    with (folder / FEATURES).open("ab") as rows, (folder / JOURNAL).open("ab") as log:
        for batch, pictures in _pictures(gallery, len(journal)):
            features, told = _batch(batch, pictures, embedder, dimension)
            _append(rows, features.tobytes())
            # Afterwards: what the journal tells of is there.
            _append(log, json.dumps(told).encode() + b"\n")
            journal.append(told)
            on_progress(min(len(journal) * BATCH, len(gallery.files)))
    shape = (len(gallery.files), dimension)
    features = np.memmap(folder / FEATURES, np.float32, "r", shape=shape)
    left_out = {printable(f): why for told in journal for f, why in told["left_out"].items()}
    if len(left_out) == len(gallery.files):
        file, why = next(iter(left_out.items()))
        raise ReferenceError(f"none of the {len(left_out)} images can be used; {file}: {why}")
    return Embedded(features, left_out, sum(told["unaligned"] for told in journal))


def _fingerprint(gallery: Gallery, embedder: Embedder) -> str:
    """What features depend on: the files as they are now, the embedder and what it runs on."""
    digest = hashlib.sha256(f"{embedder.sha256} {embedder.provider} {BATCH}".encode())
    for file in gallery.files:
        try:
            about = (gallery.root / file).stat()
            stamp = f"{about.st_size} {about.st_mtime_ns}"
        except OSError:
            stamp = "missing"
        digest.update(f"\0{file}\0{stamp}".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _resumed(folder: Path, fingerprint: str, dimension: int) -> list[dict[str, Any]]:
    """What is known of the batches that are done; both files are cut to just those."""
    plan = {"fingerprint": fingerprint, "dimension": dimension}
    try:
        same = json.loads((folder / PLAN).read_text()) == plan
    except (OSError, ValueError):
        same = False
    if not same:
        for name in (FEATURES, JOURNAL):
            (folder / name).write_bytes(b"")
        (folder / PLAN).write_text(json.dumps(plan))
    journal: list[dict[str, Any]] = []
    known, embedded = 0, 0
    size = (folder / FEATURES).stat().st_size
    # What follows the last newline was cut off by the kill; a crash of the machine may have kept
    # a line but not its rows, or its length but not its letters.
    for line in (folder / JOURNAL).read_bytes().split(b"\n")[:-1]:
        try:
            told = json.loads(line)
            rows = told["images"] * dimension * FLOAT32_BYTES
        except (ValueError, KeyError, TypeError):
            break
        if embedded + rows > size:
            break
        journal.append(told)
        known, embedded = known + len(line) + 1, embedded + rows
    os.truncate(folder / JOURNAL, known)
    os.truncate(folder / FEATURES, embedded)
    return journal


def _pictures(gallery: Gallery, done: int) -> Iterator[tuple[list[str], list[Picture]]]:
    """Files and pictures of each batch from number `done` on, the next one read ahead."""
    files = gallery.files
    batches = [list(files[i : i + BATCH]) for i in range(done * BATCH, len(files), BATCH)]
    with ThreadPoolExecutor(DECODERS) as pool:

        def ask(number: int) -> list[Future[Picture]]:
            names = batches[number] if number < len(batches) else []
            return [pool.submit(_read, gallery.root / name) for name in names]

        coming = ask(0)
        for number, batch in enumerate(batches):
            now, coming = coming, ask(number + 1)
            yield batch, [each.result() for each in now]


def _read(path: Path) -> Picture:
    try:
        return read_picture(path)
    except ImageError as error:
        return error


def _batch(
    files: list[str], pictures: list[Picture], embedder: Embedder, dimension: int
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Features of a batch, and what is to be told of it; images of one size go together."""
    features = np.full((len(files), dimension), np.nan, np.float32)
    left_out: dict[str, str] = {}
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for i, picture in enumerate(pictures):
        if isinstance(picture, ImageError):
            left_out[files[i]] = str(picture)
        else:
            by_shape.setdefault(picture.shape, []).append(i)
    unaligned = 0
    for places in by_shape.values():
        samples = np.stack([np.asarray(pictures[i]) for i in places])
        outcomes, whole = _outcomes(samples, embedder, dimension)
        unaligned += whole
        for i, outcome in zip(places, outcomes, strict=True):
            if isinstance(outcome, MonitorError):
                left_out[files[i]] = str(outcome)
            else:
                features[i] = outcome
    return features, {"images": len(files), "left_out": left_out, "unaligned": unaligned}


def _outcomes(
    samples: Samples, embedder: Embedder, dimension: int
) -> tuple[list[NDArray[np.float32] | MonitorError], int]:
    """A feature of each sample, or why not: a bad one must not cost its neighbours theirs."""
    try:
        made = embedder.features(samples)
        if made.values.shape != (len(samples), dimension):
            raise ReferenceError(f"features are {made.values.shape}, before they had {dimension}")
    except MonitorError as error:
        if len(samples) == 1:
            return [error], 0
        each = [_outcomes(sample[None], embedder, dimension) for sample in samples]
        return [outcome for (outcome,), _ in each], sum(whole for _, whole in each)
    return list(made.values), made.unaligned


def _tried_dimension(gallery: Gallery, embedder: Embedder) -> int:
    """Length of a feature, from the first image that has one."""
    why = ""
    for file in gallery.files[:MOST_TRIALS]:
        try:
            features = embedder.features(read_picture(gallery.root / file)[None])
            return int(features.values.shape[1])
        except MonitorError as error:
            why = why or f"{file}: {error}"
    raise ReferenceError(f"none of the first {MOST_TRIALS} images can be used; {why}")


def _append(file: IO[bytes], data: bytes) -> None:
    file.write(data)
    file.flush()
