"""Records on disk: in order, across processes, and whatever is torn costs only itself."""

from pathlib import Path

import pytest

from trainer_hooks import spool_log
from trainer_hooks.spool_log import HEADER, Record, SpoolLog


class Log(SpoolLog):
    """A log that counts what is torn."""

    def __init__(self, folder: Path) -> None:
        self.torn = 0
        super().__init__(folder, self._count)

    def _count(self) -> None:
        self.torn += 1


def record(number: int, size: int = 40) -> Record:
    return Record(bytes([number]) * size, number, 10 * number)


def drained(log: SpoolLog) -> list[Record]:
    found = []
    while (first := log.first()) is not None:
        assert log.first() is first
        found.append(first)
        log.pop()
    return found


def test_what_is_written_comes_back_in_order(tmp_path: Path) -> None:
    log = Log(tmp_path)
    for number in range(1, 4):
        log.append(record(number))
    assert log.nbytes == 3 * record(1).nbytes == sum(p.stat().st_size for p in tmp_path.iterdir())
    assert drained(log) == [record(1), record(2), record(3)]
    assert (log.nbytes, list(tmp_path.iterdir())) == (0, [])
    log.append(record(4))
    assert drained(log) == [record(4)]


def test_reading_and_writing_alternate(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.append(record(1))
    log.append(record(2))
    assert log.first() == record(1)
    log.append(record(3))
    log.pop()
    assert drained(log) == [record(2), record(3)]


def test_another_process_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_log, "FILE_BYTES", 100)
    log = Log(tmp_path)
    for number in range(1, 6):
        log.append(record(number))
    assert len(list(tmp_path.iterdir())) == 3
    log.pop()
    log.pop()
    log.first()
    log.close()
    heir = Log(tmp_path)
    heir.append(record(6))
    # The file that was being read is read again: what arrives twice changes nothing.
    assert [one.amount for one in drained(heir)] == [3, 4, 5, 6]


@pytest.mark.parametrize("lost", range(1, HEADER.size + 40))
def test_torn_last_record_costs_only_itself(tmp_path: Path, lost: int) -> None:
    log = Log(tmp_path)
    for number in range(1, 4):
        log.append(record(number))
    log.close()
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-lost])
    heir = Log(tmp_path)
    heir.append(record(4))
    assert drained(heir) == [record(1), record(2), record(4)]
    assert heir.torn == (lost < record(3).nbytes)


@pytest.mark.parametrize("place", [0, 3, 5, 9, 30, 63])
def test_damage_inside_costs_one_record(tmp_path: Path, place: int) -> None:
    log = Log(tmp_path)
    for number in range(1, 4):
        log.append(record(number))
    log.close()
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    data[record(1).nbytes + place] ^= 0xFF
    path.write_bytes(data)
    heir = Log(tmp_path)
    assert drained(heir) == [record(1), record(3)]
    assert heir.torn >= 1


def test_oldest_file_is_given_up_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_log, "FILE_BYTES", 100)
    log = Log(tmp_path)
    for number in range(1, 5):
        log.append(record(number))
    log.first()
    assert log.drop_file() == 1 + 2
    assert drained(log) == [record(3), record(4)]
    assert log.drop_file() == 0


def test_file_that_vanished_is_counted(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.append(record(1))
    (path,) = tmp_path.iterdir()
    path.unlink()
    assert log.first() is None
    assert (log.torn, log.nbytes) == (1, 0)
    log.append(record(2))
    assert drained(log) == [record(2)]


def test_full_disk_adds_nothing(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.append(record(1))
    writer = log._writer
    assert writer is not None

    class Full:
        """A disk with room for ten bytes."""

        def __getattr__(self, name: str) -> object:
            return getattr(writer, name)

        def write(self, data: bytes) -> int:
            assert writer is not None
            return writer.write(data[:10])

    log._writer = Full()  # type: ignore[assignment]
    with pytest.raises(OSError, match="disk is full"):
        log.append(record(2))
    log._writer = writer
    log.append(record(3))
    assert drained(log) == [record(1), record(3)]
