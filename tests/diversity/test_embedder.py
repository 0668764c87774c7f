"""Loading ArcFace networks: the one that ships, files, and insightface's packs."""

import hashlib
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from onnxruntime import get_available_providers

from monitor.diversity.embedder import DATA, Embedder, forward_bound, load_embedder
from monitor.diversity.session import CUDA
from monitor.errors import EmbedderError, ImageError

SHIPPED = DATA / "faces100.onnx"
CROPS: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (5, 112, 112, 3), np.uint8)


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return load_embedder("faces100")


def write_model(
    path: Path, shape: list[int | str], operation: str = "Flatten", outputs: int = 1
) -> Path:
    """A network of one operation (or none) on an input of that shape."""
    image = helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)
    names = [f"out{i}" for i in range(outputs)]
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names]
    nodes = [helper.make_node(operation, ["input"], [name]) for name in names]
    graph = helper.make_graph(nodes, "test", [image], results)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path
    )
    return path


def test_the_shipped_embedder_says_what_it_is(embedder: Embedder) -> None:
    assert embedder.name == "faces100"
    assert embedder.dimension == 512
    assert embedder.sha256 == hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    assert embedder.provider == "CPUExecutionProvider"


def test_features_are_those_of_insightface(embedder: Embedder) -> None:
    features = embedder.embed(CROPS)
    bgr = [np.ascontiguousarray(crop[:, :, ::-1]) for crop in CROPS]
    assert features.shape == (5, 512)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, embedder._model.get_feat(bgr), atol=1e-4)


def test_batches_do_not_matter(embedder: Embedder) -> None:
    crops = np.concatenate([CROPS] * 60)
    np.testing.assert_allclose(
        embedder.embed(crops), np.concatenate([embedder.embed(CROPS)] * 60), atol=1e-4
    )
    assert embedder.embed(CROPS[:0]).shape == (0, 512)


def test_tensors_that_stay_on_their_device_give_the_same(embedder: Embedder) -> None:
    crops = torch.from_numpy(CROPS)
    bound = forward_bound(embedder._model, crops, embedder.dimension)
    np.testing.assert_allclose(bound.numpy(), embedder.embed(CROPS), atol=1e-4)
    np.testing.assert_array_equal(embedder.embed(crops), embedder.embed(CROPS))


@pytest.mark.skipif(
    not torch.cuda.is_available() or CUDA not in get_available_providers(),
    reason="needs a CUDA device and onnxruntime-gpu",
)
def test_on_a_gpu_crops_stay_there(embedder: Embedder) -> None:
    there = load_embedder("faces100", device="cuda:0")
    assert there.provider == CUDA
    on_gpu = there.embed(torch.from_numpy(CROPS).cuda())
    np.testing.assert_allclose(on_gpu, embedder.embed(CROPS), atol=1e-3)


def test_a_network_that_fails_says_so_and_stays_where_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    embedder = load_embedder("faces100")
    # It would go on on the CPU for good, and say that it is on a GPU.
    assert not embedder._model.session._enable_fallback

    def fails(*_: object) -> None:
        raise RuntimeError("CUBLAS failure 3:\n out of memory")

    monkeypatch.setattr(embedder._model.session, "run", fails)
    said = "embedder faces100 fails on 5 crops: CUBLAS failure 3: out of memory"
    with pytest.raises(EmbedderError, match=f"^{said}$"):
        embedder.embed(CROPS)


def test_it_takes_as_many_threads_as_torch(embedder: Embedder) -> None:
    options = embedder._model.session.get_session_options()
    assert options.intra_op_num_threads == torch.get_num_threads()


def test_without_cuda_it_runs_on_the_cpu_and_says_so(embedder: Embedder) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    assert load_embedder("faces100", device="cuda:0").provider == "CPUExecutionProvider"


def test_an_export_with_a_fixed_batch_of_one(embedder: Embedder, tmp_path: Path) -> None:
    model = onnx.load(SHIPPED)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(model, tmp_path / "one.onnx")
    single = load_embedder(tmp_path / "one.onnx")
    assert single.name == "one.onnx"
    assert single.sha256 != embedder.sha256
    np.testing.assert_allclose(single.embed(CROPS), embedder.embed(CROPS), atol=1e-4)


def test_a_pack_gives_its_recognition_network(tmp_path: Path) -> None:
    pack = tmp_path / "models" / "antelopev2" / "antelopev2"  # its archive nests the folder
    pack.mkdir(parents=True)
    shutil.copy(SHIPPED, pack / "glintr100.onnx")
    write_model(pack / "genderage.onnx", ["N", 3, 96, 96])
    write_model(pack / "scrfd.onnx", ["N", 3, 640, 640], outputs=9)
    embedder = load_embedder("antelopev2", model_root=tmp_path)
    assert embedder.name == "antelopev2"
    assert embedder.sha256 == hashlib.sha256(SHIPPED.read_bytes()).hexdigest()


def test_an_empty_pack_is_said_to_be_empty(tmp_path: Path) -> None:
    (tmp_path / "models" / "buffalo_sc").mkdir(parents=True)
    with pytest.raises(EmbedderError, match=r"buffalo_sc holds no \.onnx file; delete it"):
        load_embedder("buffalo_sc", model_root=tmp_path)


@pytest.mark.parametrize(
    ("shape", "operation", "message"),
    [
        (["N", 3, 128, 128], "Flatten", r"takes \['N', 3, 128, 128\]"),
        (["N", 1, 112, 112], "Flatten", r"takes \['N', 1, 112, 112\]"),
        ([8, 3, 112, 112], "Flatten", "N free or 1"),
        (["N", 3, 112, 112], "Identity", r"gives float32 \(2, 3, 112, 112\)"),
        (["N", 3, 64, 64], "Flatten", "no ArcFace network"),
        (["N", 3, "H", "W"], "Flatten", "no ArcFace network"),
        (["N", 3], "Flatten", "cannot load"),
    ],
)
def test_networks_with_another_contract_are_refused(
    shape: list[int | str], operation: str, message: str, tmp_path: Path
) -> None:
    path = write_model(tmp_path / "model.onnx", shape, operation)
    with pytest.raises(EmbedderError, match=message):
        load_embedder(path)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(SHIPPED.read_bytes()[:1000])
    with pytest.raises(EmbedderError, match=r"cannot load .*broken\.onnx as an ONNX model"):
        load_embedder(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match=r"no embedder file at .*gone\.onnx"):
        load_embedder(tmp_path / "gone.onnx")


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match=r"unknown embedder 'bufalo'.*faces100.*buffalo_l"):
        load_embedder("bufalo", model_root=tmp_path)


@pytest.mark.parametrize(
    "crops",
    [
        np.zeros((1, 64, 64, 3), np.uint8),
        np.zeros((1, 112, 112, 3), np.float32),
        np.zeros((112, 112, 3), np.uint8),
    ],
)
def test_other_crops_are_refused(embedder: Embedder, crops: NDArray[np.uint8]) -> None:
    with pytest.raises(ImageError, match=r"give uint8 \(N, 112, 112, 3\)"):
        embedder.embed(crops)


def test_a_feature_that_is_not_finite_is_an_error(tmp_path: Path) -> None:
    path = write_model(tmp_path / "log.onnx", ["N", 3, 112, 112])
    model = onnx.load(path)
    model.graph.node.insert(0, helper.make_node("Log", ["input"], ["logarithm"]))
    model.graph.node[1].input[0] = "logarithm"
    onnx.save(model, path)
    with pytest.raises(EmbedderError, match="not finite"):
        load_embedder(path).embed(np.zeros((1, 112, 112, 3), np.uint8))


@pytest.fixture
def silent_proxy() -> Iterator[str]:
    """The address of a proxy that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def go_through(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, proxy)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


#: What a person must read when a pack cannot be fetched.
ADVICE = (
    r"by hand and unpack it into .*models/buffalo_l \(weights for non-commercial research only\)"
)


def test_without_a_network_a_pack_is_one_clear_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    go_through("http://127.0.0.1:9", monkeypatch)  # the discard port: nobody listens
    with pytest.raises(EmbedderError, match=ADVICE) as caught:
        load_embedder("buffalo_l", model_root=tmp_path)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().out == ""


@pytest.mark.timeout(10)  # the promise: an error within ten seconds
def test_a_network_that_hangs_is_given_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, silent_proxy: str
) -> None:
    go_through(silent_proxy, monkeypatch)
    with pytest.raises(EmbedderError, match=r"no answer within 5 s.*" + ADVICE):
        load_embedder("buffalo_l", model_root=tmp_path)
