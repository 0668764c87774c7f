"""Networks as one safetensors file: parameters and buffers of modules, arrays of mappings."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trainer_hooks.errors import CheckpointError
from trainer_hooks.parameters import as_numpy, is_torch, unwrapped


def write_networks(networks: Mapping[str, object], path: Path) -> None:
    """Write all tensors of `networks` as ``<network>/<tensor>``, in their own dtypes.

    Raises:
        CheckpointError: there are none.
    """
    tensors = {
        f"{name}/{part}": value
        for name, network in networks.items()
        for part, value in _items(network)
    }
    if not tensors:
        raise CheckpointError("no network was pushed yet: call push_weights first, or give save=")
    if any(map(is_torch, tensors.values())):
        _write_torch(tensors, path, sys.modules["torch"])
    else:
        from safetensors.numpy import save_file

        # C order, which the format knows alone; 0-d arrays stay so.
        save_file({name: np.asarray(as_numpy(v), order="C") for name, v in tensors.items()}, path)


def load_networks(networks: Mapping[str, object], path: Path) -> None:
    """Put what `write_networks` wrote back into modules, all of it or nothing.

    Raises:
        CheckpointError: the file holds other tensors, or a network is no module.
        OSError: it cannot be read.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    targets: dict[str, Any] = {}
    for name, network in networks.items():
        if isinstance(network, Mapping):
            raise CheckpointError(
                f"network {name!r} is a mapping, whose arrays may be copies: "
                f"give run.checkpoints a load=, or load {path} yourself"
            )
        targets |= {f"{name}/{part}": value for part, value in _items(network)}
    try:
        values = load_file(path)
    except SafetensorError as error:
        raise CheckpointError(f"{path} is no file of networks: {error}") from error
    _check_same(values, targets, path)
    with sys.modules["torch"].no_grad():
        for name, target in targets.items():
            target.copy_(values[name])


def _items(network: Any) -> list[tuple[str, Any]]:
    if isinstance(network, Mapping):
        return [(str(name), value) for name, value in network.items()]
    inner = unwrapped(network)
    return [*inner.named_parameters(), *inner.named_buffers()]


def _write_torch(tensors: dict[str, Any], path: Path, torch: Any) -> None:
    from safetensors.torch import save_file

    alone: dict[str, Any] = {}
    storages: set[int] = set()
    for name, value in tensors.items():
        tensor = value if is_torch(value) else torch.from_numpy(np.array(value))
        host = tensor.detach().to("cpu").contiguous()
        # The format does not know memory that two tensors share.
        storage = host.untyped_storage().data_ptr()
        alone[name] = host.clone() if storage in storages else host
        storages.add(storage)
    save_file(alone, path)


def _check_same(values: Mapping[str, Any], targets: Mapping[str, Any], path: Path) -> None:
    for name in [*targets, *values]:
        if name not in values or name not in targets:
            where = path if name in targets else "the networks pushed now"
            raise CheckpointError(f"tensor {name!r} is not in {where}")
        if values[name].shape != targets[name].shape:
            raise CheckpointError(
                f"tensor {name!r} has shape {[*values[name].shape]} in {path}, "
                f"{[*targets[name].shape]} now"
            )
