"""Frames ready to send, with what is lost if one is not."""

from dataclasses import dataclass

from trainer_hooks.wire import Frame, Kind


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A packed frame that must arrive.

    Attributes:
        frame: without run and segment.
        first_row, last_row: of its rows; of a sample batch, its number.
        last_step: step of the last.
    """

    frame: Frame
    first_row: int
    last_row: int
    last_step: int

    @property
    def kind(self) -> Kind:
        """``weights`` or ``samples``."""
        return self.frame.kind

    @property
    def part(self) -> int:
        """Number of the chunk of a sample batch."""
        return int(self.frame.header.get("part", 0))

    @property
    def key(self) -> tuple[int, int]:
        """What tells it from the others of its kind; grows from one to the next."""
        return self.last_row, self.part

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        return sum(tensor.nbytes for tensor in self.frame.tensors.values())

    @property
    def amount(self) -> int:
        """What is lost with it: pushes of weights, or samples."""
        if self.kind == "samples":
            return len(self.frame.tensors["samples"])
        return self.last_row - self.first_row + 1


def weights_outgoing(frame: Frame, amount: int) -> Outgoing:
    """A weights frame of which the last `amount` rows are new."""
    rows = frame.tensors["row.seq"]
    place = int(rows.argmax())
    last_row = int(rows[place])
    step = int(frame.tensors["row.step"][place])
    return Outgoing(frame, last_row + 1 - amount, last_row, step)


def samples_outgoing(frame: Frame) -> Outgoing:
    """A chunk of a sample batch."""
    batch, step = int(frame.header["seq"]), int(frame.header["step"])
    return Outgoing(frame, batch, batch, step)
