"""A server that holds the points, and the question that its own page asks it."""

from collections.abc import Sequence

from benchmarks.server.asking import Question

#: Steps and values of one metric, as a server answered.
Answer = tuple[Sequence[int], Sequence[float]]


class Subject:
    """Something to ask.

    Attributes:
        name: of its row.
        port: on this machine.
    """

    name: str
    port: int

    @property
    def pids(self) -> list[int]:
        """Processes whose memory, with that of their children, is what it takes to answer."""
        raise NotImplementedError

    def question(self, metric: str) -> Question:
        """What its page asks to draw the whole run of one metric."""
        raise NotImplementedError

    def read(self, metric: str, content: bytes) -> Answer:
        """Steps and values of what it answered."""
        raise NotImplementedError

    def close(self) -> None:
        """End it."""
        raise NotImplementedError
