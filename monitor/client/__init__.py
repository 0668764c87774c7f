"""A client of the REST interface: `monitor.client.Client`. It needs the standard library alone."""

from monitor.client.client import Client
from monitor.client.stream import Event

__all__ = ["Client", "Event"]
