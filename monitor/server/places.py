"""How far a line has told of each of its topics, and the ids that say so."""

from collections.abc import Sequence

from monitor.server.hub import Topic


class Places:
    """The id of the last event of each topic.

    On a line of its own a topic's events have its own ids. On a shared line an id is
    `number:id,id,...`: which topic spoke, and how far each has come, in the order in which they
    were asked for, so that a line that was cut resumes all of them.

    Args:
        topics: what the line tells of.
        ids: of the last event of each.
        shared: whether there may be several.
    """

    def __init__(
        self, topics: Sequence[Topic], ids: Sequence[str], *, shared: bool = False
    ) -> None:
        self.topics, self.shared = topics, shared
        self._ids = dict(zip(topics, ids, strict=True))
        self._ended: set[Topic] = set()

    def __getitem__(self, topic: Topic) -> str:
        return self._ids[topic]

    def id(self, topic: Topic) -> str:
        """What the line's next event is called when this topic speaks."""
        if not self.shared:
            return self._ids[topic]
        return f"{self.topics.index(topic)}:{','.join(self._ids.values())}"

    def move(self, topic: Topic, place: str) -> str:
        """The line's id after one more event of this topic."""
        self._ids[topic] = place
        return self.id(topic)

    def end(self, topic: Topic) -> None:
        """Nothing more comes of this topic."""
        self._ended.add(topic)

    def going_on(self, topics: Sequence[Topic]) -> list[Topic]:
        """Those that have not ended."""
        return [topic for topic in topics if topic not in self._ended]


def split_id(seen: str | None, topics: int) -> list[str | None]:
    """What a client saw last of each topic, None or "" where it begins; nonsense resumes none."""
    if not seen:
        return [None] * topics
    _, _, ids = seen.rpartition(":")
    found: list[str | None] = [*ids.split(",")]
    return found if len(found) == topics else [seen] * topics
