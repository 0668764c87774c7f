"""The socket that browsers reach."""

import socket

from monitor.cli.server import listen, own_hosts
from monitor.config import load_settings


def test_no_answer_waits_for_the_acknowledgement_of_its_head() -> None:
    listener = listen(load_settings(host="127.0.0.1", port=0))
    with listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_names_it_answers_to_are_its_own_and_its_proxys() -> None:
    settings = load_settings(host="127.0.0.2", public_url="https://Monitor.example.org:8443/sqd")
    assert own_hosts(settings) == {"127.0.0.2", "monitor.example.org"}
    assert own_hosts(load_settings()) == {"127.0.0.1"}
