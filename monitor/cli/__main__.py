"""`python -m monitor.cli` is `sqd`."""

from monitor.cli import main

main()
