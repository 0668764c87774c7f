"""Questions over HTTP, by one client or many, and how long each took."""

import gzip
import http.client
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Question:
    """One request.

    Attributes:
        method: of HTTP.
        path: with its query.
        body: None for none.
        headers: beside those that every browser sends.
    """

    method: str
    path: str
    body: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def ask(connection: http.client.HTTPConnection, question: Question) -> tuple[float, bytes]:
    """Milliseconds from the question to the last byte of the answer, and the bytes as they came."""
    taken_ms, content, _ = _asked(connection, question)
    return taken_ms, content


def ask_once(port: int, question: Question) -> tuple[float, bytes, int]:
    """Milliseconds, the answer unpacked, and its bytes on the line."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    try:
        taken_ms, content, packed = _asked(connection, question)
    finally:
        connection.close()
    return taken_ms, gzip.decompress(content) if packed else content, len(content)


def ask_many(port: int, questions: Sequence[Question], clients: int, limit_s: float) -> list[float]:
    """Milliseconds of each question, asked by clients that each wait for one answer at a time.

    Args:
        port: of the server.
        questions: in the order in which they are asked.
        clients: at once, each over a connection of its own.
        limit_s: no question is begun later than this, seconds.
    Raises:
        SystemExit: the server refused one.
    """
    left, taken = iter(questions), list[float]()
    lock, give_up_s = threading.Lock(), time.monotonic() + limit_s
    failed: list[BaseException] = []

    def following() -> Iterator[Question]:
        while not failed and time.monotonic() < give_up_s:
            with lock:
                question = next(left, None)
            if question is None:
                return
            yield question

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        try:
            for question in following():
                taken.append(ask(connection, question)[0])
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return taken


def _asked(connection: http.client.HTTPConnection, question: Question) -> tuple[float, bytes, bool]:
    headers = {"Accept-Encoding": "gzip", **question.headers}
    begun = time.perf_counter()
    connection.request(question.method, question.path, question.body, headers)
    answer = connection.getresponse()
    content = answer.read()
    taken_ms = (time.perf_counter() - begun) * 1e3
    if answer.status != http.client.OK:
        said = content[:200].decode(errors="replace")
        raise SystemExit(f"{question.path} is answered {answer.status}: {said}")
    return taken_ms, content, answer.headers.get("Content-Encoding") == "gzip"
