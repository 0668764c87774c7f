"""What the device itself does, measured in the same run: the limits that the rows are near."""

import torch

from benchmarks.evaluators.timing import Row, compare

#: Side of the float32 matrices that are multiplied, and floats that are summed (256 MB).
MATRIX_SIDE, VECTOR = 2048, 64 * 2**20
#: Bytes of a float.
FLOAT_BYTES = 4


def limit_rows(
    rounds: int, device: str, side: int = MATRIX_SIDE, vector: int = VECTOR
) -> list[Row]:
    """Operations a second of a matrix product, bytes a second of a sum."""
    matrix = torch.randn(side, side, device=device)
    numbers = torch.ones(vector, device=device)
    ways = {
        "limit: float32 matrix product": lambda: matrix @ matrix,
        "limit: reading memory": lambda: numbers.sum(),
    }
    product, reading = compare(ways, rounds, device)
    return [
        {**product, "operations_per_second": 2 * side**3 / product["seconds"]},
        {**reading, "bytes_per_second": vector * FLOAT_BYTES / reading["seconds"]},
    ]
