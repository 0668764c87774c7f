"""Redis servers with the users of docs/security.md, and a relay that speaks TLS before one."""

import contextlib
import re
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis

from monitor.process import start_child
from monitor.store.embedded import redis_server

DOCUMENT = Path(__file__).parents[2] / "docs" / "security.md"
#: Who the tests ask as: documented nowhere, may everything.
ADMIN = "user admin on >admin ~* +@all"
#: Longest wait for a server, seconds.
WAIT_S = 10.0
#: Bytes that the relay passes on at a time.
PIECE_BYTES = 65536


def documented_users() -> list[str]:
    """The lines of the access list, as they are documented."""
    found = re.search(r"```acl\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert found, f"{DOCUMENT} has no access list"
    return found.group(1).splitlines()


class GuardedRedis:
    """One server that knows the documented users and nobody else but the tests.

    Args:
        directory: for its list of users.
    """

    def __init__(self, directory: Path) -> None:
        users = directory / "users.acl"
        users.write_text("\n".join([*documented_users(), ADMIN]) + "\n")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        settings = f'bind 127.0.0.1\nport {self.port}\ndir {directory}\naclfile {users}\nsave ""\n'
        self._child = start_child(
            [redis_server(), "-"], stdin=subprocess.PIPE, output=subprocess.DEVNULL
        )
        assert self._child.stdin is not None
        self._child.stdin.write(settings.encode())
        self._child.stdin.close()
        self.admin: Any = redis.Redis.from_url(self.url("admin", "admin"), protocol=2)
        self._wait()

    def url(self, user: str, password: str) -> str:
        """Its address for one user."""
        return f"redis://{user}:{password}@127.0.0.1:{self.port}/0"

    def refusals(self) -> list[str]:
        """What was asked for and not allowed: user, reason, command or key."""
        log = self.admin.acl_log()
        return [f"{entry['username']}: {entry['reason']} {entry['object']}" for entry in log]

    def close(self) -> None:
        """End it."""
        self.admin.close()
        self._child.kill()
        self._child.wait()

    def _wait(self) -> None:
        give_up_s = time.monotonic() + WAIT_S
        while True:
            try:
                self.admin.ping()
                return
            except redis.ConnectionError:
                assert self._child.poll() is None, "redis-server does not take the access list"
                assert time.monotonic() < give_up_s
                time.sleep(0.02)


def certify(directory: Path, host: str) -> tuple[Path, Path, Path]:
    """A CA, and a certificate of its for `host`: files of the CA, the certificate and its key."""
    ca, ca_key = directory / "ca.pem", directory / "ca.key"
    certificate, key, request = (directory / f"server.{kind}" for kind in ("pem", "key", "csr"))
    extension = directory / "extension"
    extension.write_text(f"subjectAltName=IP:{host}\n")
    fresh = ["-newkey", "rsa:2048", "-nodes", "-sha256"]
    authority = ["-addext", "keyUsage=critical,keyCertSign", "-days", "2"]
    commands: list[list[str | Path]] = [
        ["req", "-x509", *fresh, *authority, "-subj", "/CN=tests", "-keyout", ca_key, "-out", ca],
        ["req", *fresh, "-subj", "/CN=redis", "-keyout", key, "-out", request],
        ["x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial",
         "-extfile", extension, "-days", "2", "-out", certificate],
    ]  # fmt: skip
    for command in commands:
        subprocess.run(["openssl", *command], check=True, capture_output=True)
    return ca, certificate, key


@contextlib.contextmanager
def tls_relay(port: int, certificate: Path, key: Path) -> Iterator[int]:
    """A port that speaks TLS and passes on to `port`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_relay, args=(context, plain, port), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _relay(context: ssl.SSLContext, plain: socket.socket, port: int) -> None:
    with (
        plain,
        contextlib.suppress(OSError),
        context.wrap_socket(plain, server_side=True) as outer,
        socket.create_connection(("127.0.0.1", port)) as inner,
    ):
        back = threading.Thread(target=_pass_on, args=(inner, outer), daemon=True)
        back.start()
        _pass_on(outer, inner)
        back.join(WAIT_S)


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(PIECE_BYTES):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_RDWR)
