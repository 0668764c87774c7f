"""Model packs of insightface's zoo: on disk, or fetched by insightface within a time bound."""

import logging
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from monitor.errors import EmbedderError

#: Packs with an ArcFace network, as insightface names them.
PACKS = ("buffalo_l", "buffalo_m", "buffalo_s", "buffalo_sc", "antelopev2")
#: Where insightface itself keeps its packs.
DEFAULT_ROOT = Path("~/.insightface")
#: Seconds without a first byte after which there is no network: of the ten that a command may take
#: to say so, imports need three and the child's start one.
FIRST_BYTE_S = 5.0
#: Seconds without another byte after which a download that had begun has died.
STALL_S = 60.0
#: Seconds between two looks at the growing file.
_POLL_S = 0.2
#: Characters of a cause that still read as one line.
_CAUSE_LENGTH = 200
#: insightface downloads without a timeout and prints as it goes, so it does it in a child process.
_SCRIPT = (
    "import sys; from insightface.utils import ensure_available;"
    "ensure_available('models', sys.argv[1], root=sys.argv[2])"
)
_log = logging.getLogger(__name__)


def pack_files(name: str, root: str | Path | None = None) -> list[Path]:
    """ONNX files of a pack, last name first as insightface picks; fetched if absent.

    Args:
        name: one of `PACKS`, or any folder below ``root/models``.
        root: folder with ``models/<pack>/``; insightface's own ``~/.insightface`` by default.

    Raises:
        EmbedderError: the pack is unknown or empty, or cannot be downloaded. Without a network
            this takes less than ten seconds.
    """
    home = Path(root or DEFAULT_ROOT).expanduser()
    folder = home / "models" / name
    if not folder.is_dir():
        if name not in PACKS:
            raise EmbedderError(
                f"unknown embedder {name!r}: give faces100, a path to an .onnx file, or one of "
                f"{', '.join(PACKS)}"
            )
        _download(name, home, folder)
    files = sorted(folder.rglob("*.onnx"), reverse=True)
    if not files:
        raise EmbedderError(f"{folder} holds no .onnx file; delete it to download {name} again")
    return files


def _download(name: str, root: Path, folder: Path) -> None:
    from insightface.utils.storage import model_zoo_download_url  # takes 0.6 s

    _log.warning("downloading %s to %s; its weights are for non-commercial use", name, folder)
    command = [sys.executable, "-c", _SCRIPT, name, str(root)]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors) as child,
    ):
        try:
            cause = _watch(child, folder.with_name(f"{name}.zip"))
        finally:
            child.kill()
        if code := child.wait():
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip() or f"exit code {code}"
            raise EmbedderError(
                f"cannot download {name} from insightface's model zoo ({cause or _last_cause(said)}"
                f"); fetch {model_zoo_download_url(name + '.zip')} by hand and unpack it into "
                f"{folder} (weights for non-commercial research only), or take --embedder faces100 "
                "or a path to an .onnx file"
            )


def _watch(child: subprocess.Popen[bytes], archive: Path) -> str:
    """Wait for the child as long as the archive grows; what was wrong, or nothing."""
    began = changed = time.monotonic()
    before = last = _size(archive)
    while child.poll() is None:
        time.sleep(_POLL_S)
        now, size = time.monotonic(), _size(archive)
        if size != last:
            changed, last = now, size
        if last == before and now - began > FIRST_BYTE_S:
            return f"no answer within {FIRST_BYTE_S:g} s"
        if now - changed > STALL_S:
            return f"it stalled for {STALL_S:g} s"
    return ""


def _last_cause(traceback: str) -> str:
    """The innermost reason in the last line of a traceback of requests."""
    return traceback.splitlines()[-1].rpartition("Caused by ")[2].strip("()")[:_CAUSE_LENGTH]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
