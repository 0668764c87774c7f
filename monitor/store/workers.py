"""Workers: what each says of itself while it lives."""

import socket
from typing import Any

from monitor.store.connection import Store, reachable, text
from trainer_hooks import keys

#: A worker that was silent for this long is gone, seconds; it beats every third of it.
ALIVE_S = 15


def beat(store: Store, worker_id: str, about: dict[str, Any]) -> None:
    """Say that a worker lives, and what it is and does."""
    now_s = store.now_s()
    with reachable(store.redis_url):
        pipe = store.data.pipeline()
        pipe.hset(keys.worker(worker_id), mapping={name: str(v) for name, v in about.items()})
        pipe.expire(keys.worker(worker_id), ALIVE_S)
        pipe.zadd(keys.WORKERS, {worker_id: now_s})
        pipe.zremrangebyscore(keys.WORKERS, "-inf", now_s - 10 * ALIVE_S)
        pipe.execute()


def leave(store: Store, worker_id: str) -> None:
    """Say goodbye."""
    with reachable(store.redis_url):
        store.data.zrem(keys.WORKERS, worker_id)
        store.data.delete(keys.worker(worker_id))


def has_beaten(store: Store, process: int) -> bool:
    """Whether a worker of this host's process has lived within the last minutes."""
    with reachable(store.redis_url):
        seen: Any = store.data.zrange(keys.WORKERS, 0, -1)
    return any(text(name).startswith(name_of(process)) for name in seen)


def name_of(process: int) -> str:
    """What the ids of all workers of a process on this host begin with."""
    return f"{socket.gethostname()}-{process}-"


def alive_workers(store: Store) -> list[dict[str, Any]]:
    """What the living workers say: `id`, `age_s` and texts such as `device`, `embedder`."""
    now_s = store.now_s()
    with reachable(store.redis_url):
        seen: Any = store.data.zrangebyscore(keys.WORKERS, now_s - ALIVE_S, "+inf", withscores=True)
        found = []
        for name, score in seen:
            about: Any = store.data.hgetall(keys.worker(text(name)))
            fields = {text(key): text(value) for key, value in about.items()}
            found.append({**fields, "id": text(name), "age_s": max(0.0, now_s - score)})
    return found
