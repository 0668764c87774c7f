"""Log lines: one an event, readable by people or by programs, with run and step."""

import io
import json
import logging
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timezone

import pytest

from monitor.logs import JsonLines, TextLines, about

#: What a run may be called.
HOSTILE = 'a "b"\\ {0} %s é😀'
log = logging.getLogger("monitor.test_logs")


class Written:
    """What a formatter makes of what is logged."""

    def __init__(self, formatter: logging.Formatter) -> None:
        self._stream = io.StringIO()
        self.handler = logging.StreamHandler(self._stream)
        self.handler.setFormatter(formatter)

    @property
    def lines(self) -> list[str]:
        return self._stream.getvalue().splitlines()


@pytest.fixture
def written(request: pytest.FixtureRequest) -> Iterator[Written]:
    """Of the formatter that the test names."""
    found = Written(request.param)
    log.addHandler(found.handler)
    yield found
    log.removeHandler(found.handler)


@pytest.mark.parametrize("written", [JsonLines()], indirect=True)
def test_json_is_an_object_a_line(written: Written) -> None:
    before = datetime.now(timezone.utc)
    with about(HOSTILE, 12):
        log.warning("job %s\nis given up", "1-0")
    log.error("heartbeat waits")
    first, second = map(json.loads, written.lines)
    said = datetime.fromisoformat(first.pop("time").replace("Z", "+00:00"))
    assert abs((said - before).total_seconds()) < 60
    assert first == {
        "level": "warning", "logger": "monitor.test_logs", "message": "job 1-0\nis given up",
        "run": HOSTILE, "step": 12,
    }  # fmt: skip
    assert set(second) == {"time", "level", "logger", "message"}


@pytest.mark.parametrize("written", [JsonLines()], indirect=True)
def test_traceback_stays_in_its_line(written: Written) -> None:
    try:
        raise ZeroDivisionError("a defect")
    except ZeroDivisionError:
        log.exception("failed")
    (line,) = written.lines
    assert json.loads(line)["exception"].endswith("ZeroDivisionError: a defect")


@pytest.mark.parametrize("written", [TextLines()], indirect=True)
def test_text_tells_run_and_step_last(written: Written) -> None:
    with about("demo"):
        log.info("is left out at this level")
        log.warning("waits")
        with about("other", 7):
            log.warning("nested")
        log.error("waits again")
    log.error("alone")
    assert [line.partition(" ")[2] for line in written.lines] == [
        "warning monitor.test_logs: waits (run 'demo')",
        "warning monitor.test_logs: nested (run 'other', step 7)",
        "error monitor.test_logs: waits again (run 'demo')",
        "error monitor.test_logs: alone",
    ]


@pytest.mark.parametrize("written", [TextLines()], indirect=True)
def test_threads_do_not_see_each_other(written: Written) -> None:
    with about("demo"):
        thread = threading.Thread(target=log.warning, args=("elsewhere",))
        thread.start()
        thread.join()
    assert written.lines[0].endswith("elsewhere")


def configured(*statements: str) -> list[str]:
    """Lines on standard error of a process of its own."""
    script = "\n".join(["import logging, warnings", "from monitor.logs import *", *statements])
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_libraries_and_warnings_are_lines_too() -> None:
    lines = configured(
        "configure(form='json')",
        "with about('demo', 3): logging.getLogger('torch').warning('from a library')",
        "warnings.warn('from Python')",
        "logging.getLogger('monitor.worker').info('not told')",
        "notices.info('told')",
    )
    library, python, notice = map(json.loads, lines)
    assert (library["logger"], library["run"], library["step"]) == ("torch", "demo", 3)
    assert (python["logger"], "from Python" in python["message"]) == ("py.warnings", True)
    assert (notice["level"], notice["message"]) == ("info", "told")


def test_text_is_the_default_and_verbose_tells_more() -> None:
    say = "logging.getLogger('monitor.worker').info('told')"
    assert configured("configure()", say) == []
    (line,) = configured("configure(verbose=True)", say)
    assert line.endswith(" info monitor.worker: told")


def test_a_notice_is_a_sentence_for_people() -> None:
    (line,) = configured("configure()", "notices.info('worker: Q by mtcnn')")
    assert re.fullmatch(r"\d\d:\d\d:\d\d worker: Q by mtcnn", line)
