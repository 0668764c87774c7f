"""The dashboard: one page, its modules, and Plotly."""

import functools
import gzip
import re
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from monitor.server.assets import PLOTLY, assets_dir
from monitor.server.caching import tagged

#: Asked for again at every load, so that an upgrade shows; an unchanged file costs a 304.
ASSET_CACHE = "no-cache"
#: What a module of the page imports.
IMPORTED = re.compile(r'\bfrom "\./([A-Za-z0-9_-]+\.js)"')
#: Level of the one compression of each file: Plotly's 1.2 MB to 0.4 MB in a twentieth of a second.
PACK_LEVEL = 6
#: Files that are kept compressed.
MOST_PACKED = 256
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
#: Names of assets: one level, ASCII, a suffix; nothing that leads out of the folder.
ASSET = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+", re.ASCII)

router = APIRouter(include_in_schema=False)


@router.get("/")
def read_list_page(request: Request) -> Response:
    """The page; it reads its own address."""
    return _read_page(request, [])


@router.get("/runs/{run}")
def read_run_page(request: Request) -> Response:
    """The same page, which will want Plotly, started while the modules come."""
    return _read_page(request, [f'<script async src="/static/{PLOTLY}"></script>'])


def _read_page(request: Request, links: list[str]) -> Response:
    """The page with all that it will load on its head: a browser else learns of a module only from
    the one that imports it, seven times over."""
    folder = assets_dir()
    links = links + [
        f'<link rel="modulepreload" href="/static/{name}">' for name in _modules(folder)
    ]
    text = (folder / "index.html").read_text()
    text = text.replace("</head>", "\n".join([*links, "</head>"]))
    return tagged(request, text.encode(), MEDIA_TYPES[".html"], ASSET_CACHE)


@functools.lru_cache(maxsize=1)
def _modules(folder: Path) -> list[str]:
    """The modules that `main.js` imports, and what they import."""
    found = ["main.js"]
    for name in found:
        imported = IMPORTED.findall((folder / name).read_text())
        found += dict.fromkeys(each for each in imported if each not in found)
    return found


@router.get("/static/{name}")
async def read_asset(name: str, request: Request) -> Response:
    """One file of the dashboard. No thread is asked for: a page loads seventy of them at once."""
    path = assets_dir() / name
    if not ASSET.fullmatch(name) or path.suffix not in MEDIA_TYPES or not path.is_file():
        raise HTTPException(404, f"the dashboard has no file {name!r}")
    body, packed = _packed(path, path.stat().st_mtime_ns)
    return _answer(request, body, packed, MEDIA_TYPES[path.suffix], ASSET_CACHE)


def _answer(
    request: Request, body: bytes, packed: bytes, media_type: str, cache_control: str
) -> Response:
    """A file as the client can read it."""
    takes = "gzip" in request.headers.get("accept-encoding", "")
    response = tagged(request, packed if takes else body, media_type, cache_control)
    if takes:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    return response


@functools.lru_cache(maxsize=MOST_PACKED)
def _packed(path: Path, changed_ns: int) -> tuple[bytes, bytes]:
    """A file as it is, and compressed; read again when it has changed."""
    body = path.read_bytes()
    return body, gzip.compress(body, PACK_LEVEL, mtime=0)
