"""Where the dashboard's files lie; needs nothing of what the server needs."""

from pathlib import Path

from monitor.errors import MonitorError

#: Plotly's smallest bundle: lines are all that is drawn with it. It starts in a fraction of the
#: time that the whole Plotly of the Python package takes.
PLOTLY = "plotly-basic.min.js"


def assets_dir() -> Path:
    """Where the dashboard lies: beside this module in a wheel, else in the checkout.

    Raises:
        MonitorError: it is in neither place.
    """
    here = Path(__file__).resolve()
    for folder in (here.parent / "dashboard", here.parents[2] / "dashboard"):
        if (folder / "index.html").is_file():
            return folder
    raise MonitorError(
        f"the dashboard's files are neither in {here.parent / 'dashboard'} nor in a checkout; "
        f"install sqd-monitor again"
    )
