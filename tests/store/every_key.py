"""A run that has every key a run can have, made from `trainer_hooks.keys` itself."""

import inspect
import json
from collections.abc import Callable, Iterator
from typing import Any

from monitor.store.archive.parts import part_of, type_of
from monitor.store.connection import Store, text
from monitor.store.weight_parts import PointId
from tests.store.posting import Trainer, keys_of
from trainer_hooks import keys

#: Take a run and are no key of it.
NO_KEYS = ("shard_of", "of_run", "run_pattern", "blob_pattern", "staged")


def functions() -> Iterator[Callable[..., str]]:
    """Everything in `trainer_hooks.keys` that spells a key of a run."""
    for name, found in inspect.getmembers(keys, inspect.isfunction):
        first = next(iter(inspect.signature(found).parameters), "")
        if first == "run" and name not in NO_KEYS:
            yield found


def spelt(function: Callable[..., str], run: str) -> str:
    """One key, made with anything."""
    _, *others = inspect.signature(function).parameters.values()
    given = {each.name: 7 if each.annotation is int else "seg" for each in others}
    return function(run, **given)


def durable(run: str) -> list[str]:
    """One key of each sort on the durable Redis."""
    begin = keys.run_pattern(run).removesuffix("*")
    return [key for made in functions() if (key := spelt(made, run)).startswith(begin)]


def fill_every_key(store: Store, run: str) -> Trainer:
    """A run that has ended, with every key on both servers, and a place in every shared one."""
    trainer = Trainer(store, run)
    trainer.beat(G=3, finished=True)
    for key in durable(run):
        if not store.data.exists(key):
            ADD[type_of(part_of(key))](store.data, key)
    for made in functions():
        key = spelt(made, run)
        if key not in durable(run) and not store.data.exists(key):
            store.blobs.set(key, "1")
    point = PointId(run, trainer.segment, "G", 0, 7)
    shard = keys.shard_of(run)
    store.data.zadd(keys.waiting_points(shard), {point.name: 1})
    store.data.sadd(keys.kept(shard), run)
    store.data.hset(keys.limits(shard), run, "{}")
    store.data.zadd(keys.notices(shard), {f"alert|{run}": 1})
    for stream in (keys.shard_events(shard), keys.dead_letters(shard)):
        store.data.xadd(stream, {"event": "points", "run": run, "data": "{}"})
    return trainer


def content(store: Store, run: str) -> dict[str, Any]:
    """All that lies on the durable Redis of a run, its place in the list included."""
    found: list[Any] = sorted(store.data.scan_iter(match=keys.run_pattern(run)))
    held = {text(key): READ[type_of(part_of(text(key)))](store.data, key) for key in found}
    return {**held, "listed": store.data.zscore(keys.RUNS, run)}


def mentions(store: Store, run: str) -> list[str]:
    """Keys in whose name or content a run still occurs, whatever type they have."""
    told = (run.encode(), json.dumps(run).encode(), keys.meta(run).split(":")[3].encode())
    found = []
    for client in {id(each): each for each in (store.data, store.blobs)}.values():
        for key in keys_of(store):
            kind = text(client.type(key))
            held = repr(READ[kind](client, key)) if kind != "none" else ""
            if any(repr(name)[2:-1] in held or name in key.encode() for name in told):
                found.append(key)
    return sorted(found)


ADD: dict[str, Callable[[Any, str], Any]] = {
    "hash": lambda data, key: data.hset(key, "1:2", "{}"),
    "string": lambda data, key: data.set(key, b"\0\xff"),
    "zset": lambda data, key: data.zadd(key, {"member": 1.5}),
    "stream": lambda data, key: data.xadd(key, {"event": "points", "data": "{}"}),
}
READ: dict[str, Callable[[Any, Any], Any]] = {
    "hash": lambda data, key: data.hgetall(key),
    "string": lambda data, key: data.get(key),
    "zset": lambda data, key: data.zrange(key, 0, -1, withscores=True),
    "set": lambda data, key: data.smembers(key),
    "stream": lambda data, key: data.xrange(key),
}
