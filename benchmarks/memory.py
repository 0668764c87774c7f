"""The memory of every process of a demo, after a minute.

    python -m benchmarks.memory [--running]

With ``--running`` it is read from a `sqd demo` that already runs.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

#: Seconds after which the demo's processes have settled.
SETTLE_S = 60.0


def memory(*, running: bool) -> None:
    """Print the resident memory of every process of a demo."""
    if running:
        print_memory()
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "monitor.cli", "demo", "--port", "0", "--home", folder]
        demo = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            time.sleep(SETTLE_S)
            print_memory()
        finally:
            demo.terminate()
            demo.wait()


def print_memory() -> None:
    """Resident memory of the processes that belong to the product."""
    print("\n| process | resident MB |\n|---|---|")
    for entry in sorted(Path("/proc").glob("[0-9]*")):
        try:
            words = (entry / "cmdline").read_bytes().decode().split("\0")
            status = (entry / "status").read_text()
        except OSError:
            continue
        line = " ".join(words)
        ours = "monitor.cli" in line or "monitor.demo" in line or "redis-server" in words[0]
        if ours and "VmRSS" in status:
            kilobytes = int(status.split("VmRSS:")[1].split()[0])
            print(f"| {name_of(line)} | {kilobytes / 1024:.0f} |")


def name_of(line: str) -> str:
    """What a process is, from its command line."""
    if "redis-server" in line:
        return "redis-server"
    if "monitor.demo" in line:
        return "trainer (demo)"
    if "--lane fast" in line:
        return "worker, fast lane"
    return "worker, samples lane" if " worker" in line else "server and watch"


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--running", action="store_true", help="of a demo that already runs")
    memory(running=parser.parse_args().running)


if __name__ == "__main__":
    main()
