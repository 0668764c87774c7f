"""What goes to the log once, however often it happens."""


class Sayings:
    """Topics that were spoken of."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def first(self, topic: str) -> bool:
        """Whether this is the first time, or the first since the topic was forgotten."""
        new = topic not in self._said
        self._said.add(topic)
        return new

    def forget(self, *topics: str) -> None:
        """It is over: the next time is news again."""
        self._said.difference_update(topics)
