"""The sender's line to Redis: find it, register the run, post frames, beat. No retries in here."""

import json
import time
from collections.abc import Mapping
from typing import Any

from trainer_hooks import keys
from trainer_hooks.answers import Answer
from trainer_hooks.clients import Clients, link_errors
from trainer_hooks.errors import BudgetUsedError, LinkError, RunDeletedError, RunLostError
from trainer_hooks.joining import MOST_SUFFIXES, join, names_from
from trainer_hooks.settings import Settings
from trainer_hooks.shards import Shard
from trainer_hooks.wire import Frame, encode

#: A frame that no worker took is thrown away after this long, seconds: a safety net.
BLOB_TTL_S = 3600
#: Share of the budget that samples may use up in Redis, so that S and the losses never wait for
#: Q and D.
SAMPLES_SHARE = 0.75


class Link:
    """One connection pair for one run.

    Args:
        settings: of the run.
        segment: name of this trainer process within the run.
        known: what an earlier process said of it by `about`; None: the run begins now.

    Attributes:
        run: id of the run.
        registered: whether a Redis has known it.
        shard: of a process that pushes parts of networks; known before it registers.
    """

    def __init__(
        self, settings: Settings, segment: str, known: Mapping[str, Any] | None = None
    ) -> None:
        self._settings = settings
        self.segment = segment
        said = known or {}
        self._process = str(said.get("process", segment))
        self.shard = Shard(*said["shard"]) if said.get("shard") else None
        self._started_s = float(said.get("started_s", time.time()))
        self._described: dict[str, Any] = said.get("config") or settings.described()
        self._instance = str(said.get("instance", ""))
        self._blob_url: str | None = None
        self._open: Clients | None = None
        self._bytes: dict[str, tuple[Frame, bytes]] = {}
        self.run = str(said.get("id", settings.run))
        self.registered = bool(said.get("registered", False))

    @property
    def connected(self) -> bool:
        """Whether `post` and `beat` may be called."""
        return self._open is not None

    def about(self) -> dict[str, Any]:
        """What another process must know to send in the name of this one, as JSON."""
        return {
            "run": self._settings.run,
            "id": self.run,
            "segment": self.segment,
            "process": self._process,
            "shard": [self.shard.index, self.shard.count] if self.shard else None,
            "registered": self.registered,
            "instance": self._instance,
            "resume": self._settings.resume,
            "started_s": self._started_s,
            "config": self._described,
            "tags": self._settings.tags,
        }

    @link_errors
    def connect(self, first_row: int) -> bool:
        """Connect, and register with a Redis that does not know the run; whether it had to.

        Args:
            first_row: the oldest weights row that is still to be sent: those before it are lost
                with a Redis that comes back empty.
        Raises:
            LinkError: nobody says where Redis is, or it is away or refuses.
        """
        clients = Clients(self._settings, self._blob_url)
        try:
            instance = clients.instance()
            unknown = not self.registered or self._instance != instance
            if unknown:
                self._register(clients, first_row)
        except BaseException:
            clients.close()
            raise
        self._instance = instance
        self._blob_url = clients.blob_url
        self._open = clients
        return unknown

    def close(self) -> None:
        """Hang up; `connect` starts anew."""
        clients, self._open = self._open, None
        self._bytes.clear()
        if clients is not None:
            clients.close()

    @link_errors
    def post(self, frame: Frame, last_row: int, last_step: int) -> Answer:
        """Send one frame. Sending it again after a lost answer changes nothing in the end.

        Raises:
            BudgetUsedError: the run's budget of unprocessed bytes is used up.
            RunDeletedError, RunLostError: the run is unknown to Redis.
            LinkError: Redis is away or refuses.
            WireError: the frame is too large.
        """
        clients = self._clients()
        data = self._encoded(frame)
        blob_id = f"{self.segment}-{frame.kind}-{last_row}-{frame.header.get('part', 0)}"
        self._store_blob(clients, frame.kind, blob_id, data)
        job = self._job(frame, blob_id, len(data), last_row, last_step)
        fields = [part for item in job.items() for part in item]
        lane: keys.Lane = "samples" if frame.kind == "samples" else "fast"
        answer = clients.post(
            keys=[
                keys.segments(self.run),
                keys.jobs(keys.shard_of(self.run), lane),
                keys.meta(self.run),
                keys.rows(self.run),
                keys.members(self.run),
            ],
            args=[self.segment, frame.kind, last_row, last_step, len(fields), *fields],
        )
        self._check_known(clients, answer)
        del self._bytes[frame.kind]
        return Answer(int(answer[1]))

    @link_errors
    def beat(
        self,
        drops: dict[str, int],
        networks: dict[str, Any],
        *,
        finished: bool = False,
        crash: str = "",
        ring: str = "",
    ) -> Answer:
        """Say that the trainer lives, or that it ended, and where its checkpoints lie (JSON).

        One that ended of an error is not finished, but lost; `crash` tells the error.

        Raises:
            RunDeletedError, RunLostError: the run is unknown to Redis.
            LinkError: Redis is away or refuses.
        """
        clients = self._clients()
        answer = clients.beat(
            keys=[
                keys.segments(self.run),
                keys.meta(self.run),
                keys.alerts(self.run),
                keys.rows(self.run),
                keys.members(self.run),
                keys.control(self.run),
            ],
            args=[
                self.segment, json.dumps(drops), json.dumps(networks),
                int(finished and not crash), ring, crash,
            ],
        )  # fmt: skip
        self._check_known(clients, answer)
        return Answer.of_beat(answer)

    def _encoded(self, frame: Frame) -> bytes:
        """Bytes of the frame; kept, since it is tried again while the worker is behind."""
        known, data = self._bytes.get(frame.kind, (None, b""))
        if known is not frame:
            header = {**frame.header, "run": self.run, "segment": self.segment}
            data = encode(Frame(frame.kind, header, frame.tensors))
            self._bytes[frame.kind] = frame, data
        return data

    def _clients(self) -> Clients:
        if self._open is None:
            raise LinkError("not connected")
        return self._open

    def _register(self, clients: Clients, first_row: int) -> None:
        age_s = max(0.0, time.time() - self._started_s)
        if self.shard is not None and self.shard.of_member:
            asked = self._settings.run
            self.run, self.segment = join(clients, asked, self.shard, self._process, age_s)
            self.registered = True
            return
        # An older process must not hide the rows of a newer one, however late it comes.
        resume = 2 if self.registered else int(self._settings.resume)
        described = self._described
        about = {"first_row": first_row, "host": described["host"], "pid": described["pid"]}
        about |= {"age": age_s, "asked": self._settings.run}
        names = [self.run] if self.registered else names_from(self._settings.run)
        for name in names:
            answer = clients.register(
                keys=[keys.meta(name), keys.segments(name)],
                args=[
                    self.segment,
                    resume,
                    json.dumps(about),
                    name,
                    json.dumps(described),
                    json.dumps(self._settings.tags),
                ],
            )
            if answer == b"ok":
                began_s = clients.now_s() - age_s
                clients.data.zadd(keys.RUNS, {name: began_s}, nx=not resume)
                self.run, self.registered = name, True
                return
        raise LinkError(f"{MOST_SUFFIXES} runs are already called {self._settings.run!r}")

    def _store_blob(self, clients: Clients, kind: str, blob_id: str, data: bytes) -> None:
        share = SAMPLES_SHARE if kind == "samples" else 1
        used = clients.reserve(
            keys=[keys.outstanding(self.run), keys.outstanding_bytes(self.run)],
            args=[blob_id, len(data), BLOB_TTL_S, int(self._settings.budget_bytes * share)],
        )
        if used[0] == 0:
            raise BudgetUsedError(f"{used[1]} bytes are not yet processed by a worker")
        clients.blobs.set(keys.blob(self.run, blob_id), data, ex=BLOB_TTL_S)

    def _job(
        self, frame: Frame, blob_id: str, nbytes: int, last_row: int, last_step: int
    ) -> dict[str, Any]:
        times = frame.tensors["row.time"] if frame.kind == "weights" else [frame.header["time"]]
        return {
            "run": self.run,
            "segment": self.segment,
            "kind": frame.kind,
            "blob": blob_id,
            "bytes": nbytes,
            "row": last_row,
            "step": last_step,
            "time": repr(float(max(times))),
        }

    def _check_known(self, clients: Clients, answer: list[Any]) -> None:
        if answer[0] != b"unknown":
            return
        if clients.instance() == self._instance:
            raise RunDeletedError(f"run {self.run!r} was deleted")
        raise RunLostError(f"Redis no longer knows run {self.run!r}")
