"""RVM against its equations, written out in NumPy and double precision under Flax's names."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.encoders.config import RvmEncoderConfig
from vidrep_pipelines.evaluation.encoders.recurrent import load_rvm_encoder

Arrays = dict[str, NDArray[np.float32]]
DIMENSION, HEADS, HIDDEN, PATCH = 12, 3, 20, 4


def make_arrays(depth: int = 2, core_depth: int = 1) -> Arrays:
    rng = np.random.default_rng(0)
    arrays: Arrays = {}

    def put(name: str, *shape: int) -> None:
        arrays[name] = (rng.standard_normal(shape) * 0.3).astype(np.float32)

    def norm(name: str, bias: bool = True) -> None:
        put(f"{name}/scale", DIMENSION)
        if bias:
            put(f"{name}/bias", DIMENSION)

    def attention(name: str) -> None:
        for part in ("query", "key", "value"):
            put(f"{name}/{part}/kernel", DIMENSION, HEADS, DIMENSION // HEADS)
            put(f"{name}/{part}/bias", HEADS, DIMENSION // HEADS)
        put(f"{name}/out/kernel", HEADS, DIMENSION // HEADS, DIMENSION)
        put(f"{name}/out/bias", DIMENSION)

    def block(name: str) -> None:
        norm(f"{name}/attention_norm")
        attention(f"{name}/attention")
        norm(f"{name}/mlp_norm")
        put(f"{name}/mlp/dense_in/kernel", DIMENSION, HIDDEN)
        put(f"{name}/mlp/dense_in/bias", HIDDEN)
        put(f"{name}/mlp/dense_out/kernel", HIDDEN, DIMENSION)
        put(f"{name}/mlp/dense_out/bias", DIMENSION)

    put("cls_token", 1, DIMENSION)
    put("tokenizer/patch_embedding/Conv_0/kernel", 1, PATCH, PATCH, 3, DIMENSION)
    put("tokenizer/patch_embedding/Conv_0/bias", DIMENSION)
    for number in range(depth):
        block(f"encoder/layers_{number}")
    norm("encoder/LayerNorm_0")
    for number in range(core_depth):
        block(f"rnn_core/transformer/xa_blocks_{number}")
        norm(f"rnn_core/transformer/xa_blocks_{number}/ca_attention_norm")
        attention(f"rnn_core/transformer/xa_blocks_{number}/ca_attention")
    norm("rnn_core/transformer/output_norm")
    norm("rnn_core/state_layer_norm", bias=False)
    for gate in ("input_update", "input_reset", "state_update", "state_reset"):
        put(f"rnn_core/{gate}/kernel", DIMENSION, DIMENSION)
    return arrays


class Oracle:
    """One video, frame by frame."""

    def __init__(self, arrays: Arrays) -> None:
        self.arrays = {name: array.astype(np.float64) for name, array in arrays.items()}

    def __call__(self, frames: NDArray[Any]) -> NDArray[Any]:
        """(T, H, W, 3) to (T, h, w, D)."""
        state, maps = None, []
        rows, columns = frames.shape[1] // PATCH, frames.shape[2] // PATCH
        for frame in frames:
            tokens = self.encode(frame, rows, columns)
            state = self.step(tokens, np.zeros_like(tokens) if state is None else state)
            maps.append(state[1:].reshape(rows, columns, -1))
        return np.stack(maps)

    def encode(self, frame: NDArray[Any], rows: int, columns: int) -> NDArray[Any]:
        kernel = self.arrays["tokenizer/patch_embedding/Conv_0/kernel"][0]
        patches = frame.reshape(rows, PATCH, columns, PATCH, 3)
        tokens = np.einsum("ypxqc,pqcd->yxd", patches, kernel)
        tokens += self.arrays["tokenizer/patch_embedding/Conv_0/bias"] + self.positions(rows, columns)
        sequence = np.concatenate([self.arrays["cls_token"], tokens.reshape(-1, DIMENSION)])
        for number in range(2):
            name = f"encoder/layers_{number}"
            normed = self.norm(f"{name}/attention_norm", sequence)
            sequence = sequence + self.attention(f"{name}/attention", normed, normed)
            sequence = sequence + self.perceptron(name, sequence)
        return self.norm("encoder/LayerNorm_0", sequence)

    def step(self, tokens: NDArray[Any], state: NDArray[Any]) -> NDArray[Any]:
        def gate(kind: str) -> NDArray[Any]:
            inputs = tokens @ self.arrays[f"rnn_core/input_{kind}/kernel"]
            return 1 / (1 + np.exp(-(inputs + state @ self.arrays[f"rnn_core/state_{kind}/kernel"])))

        update, reset = gate("update"), gate("reset")
        memory, candidate = reset * self.norm("rnn_core/state_layer_norm", state, 1e-4), tokens
        name = "rnn_core/transformer/xa_blocks_0"
        looking = self.norm(f"{name}/ca_attention_norm", candidate)
        candidate = candidate + self.attention(f"{name}/ca_attention", looking, memory)
        candidate = candidate + self.perceptron(name, candidate)
        normed = self.norm(f"{name}/attention_norm", candidate)
        candidate = candidate + self.attention(f"{name}/attention", normed, normed)
        candidate = self.norm("rnn_core/transformer/output_norm", candidate)
        return (1 - update) * state + update * candidate

    def norm(self, name: str, values: NDArray[Any], epsilon: float = 1e-6) -> NDArray[Any]:
        centered = values - values.mean(-1, keepdims=True)
        scaled = centered / np.sqrt((centered**2).mean(-1, keepdims=True) + epsilon)
        return scaled * self.arrays[f"{name}/scale"] + self.arrays.get(f"{name}/bias", 0)

    def perceptron(self, name: str, values: NDArray[Any]) -> NDArray[Any]:
        normed = self.norm(f"{name}/mlp_norm", values)
        x = normed @ self.arrays[f"{name}/mlp/dense_in/kernel"] + self.arrays[f"{name}/mlp/dense_in/bias"]
        x = 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
        return x @ self.arrays[f"{name}/mlp/dense_out/kernel"] + self.arrays[f"{name}/mlp/dense_out/bias"]

    def attention(self, name: str, tokens: NDArray[Any], others: NDArray[Any]) -> NDArray[Any]:
        def layer(part: str, values: NDArray[Any]) -> NDArray[Any]:
            kernel, bias = (self.arrays[f"{name}/{part}/{kind}"] for kind in ("kernel", "bias"))
            return np.einsum("nd,dhc->hnc", values, kernel) + bias[:, None]

        scores = layer("query", tokens) @ layer("key", others).swapaxes(1, 2) / np.sqrt(DIMENSION / HEADS)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        mixed = weights @ layer("value", others)
        return (
            np.einsum("hnc,hcd->nd", mixed, self.arrays[f"{name}/out/kernel"])
            + self.arrays[f"{name}/out/bias"]
        )

    @staticmethod
    def positions(rows: int, columns: int) -> NDArray[Any]:
        """The table of 16 x 16, resized with the kernel of Keys (a = -0.5), widened where it shrinks."""
        table = np.empty((256, DIMENSION))
        for place in range(256):
            for channel in range(DIMENSION):
                angle = place / 10000 ** (2 * (channel // 2) / DIMENSION)
                table[place, channel] = np.cos(angle) if channel % 2 else np.sin(angle)

        def weights(new: int) -> NDArray[Any]:
            if new == 16:
                return np.eye(16)
            scale = max(16 / new, 1)
            centers = (np.arange(new) + 0.5) * 16 / new - 0.5
            x = np.abs(np.arange(16)[None] - centers[:, None]) / scale
            near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
            kernel = np.where(x <= 1, near, np.where(x < 2, far, 0))
            return kernel / kernel.sum(1, keepdims=True)

        return np.einsum("yi,xj,ijd->yxd", weights(rows), weights(columns), table.reshape(16, 16, -1))


def published(folder: Path, arrays: Arrays) -> RvmEncoderConfig:
    np.savez(folder / "rvm.npz", **arrays)
    return RvmEncoderConfig(path=folder / "rvm.npz")


@pytest.mark.parametrize("grid", [(16, 16), (9, 20)])
def test_features_are_those_of_the_equations(tmp_path: Path, grid: tuple[int, int]) -> None:
    arrays = make_arrays()
    extra = {"decoder/dense/kernel": np.ones((2, 2), np.float32)}
    encoder = load_rvm_encoder("rvm", published(tmp_path, {**arrays, **extra}))
    assert (encoder.stride, encoder.window, encoder.mean, encoder.std) == (PATCH, 1, (0, 0, 0), (1, 1, 1))
    frames = np.random.default_rng(1).random((3, grid[0] * PATCH, grid[1] * PATCH, 3))
    found, state = encoder.features(torch.from_numpy(frames).float().movedim(-1, 1)[None])
    expected = torch.from_numpy(Oracle(arrays)(frames)).movedim(-1, 1)
    torch.testing.assert_close(found[0].double(), expected, rtol=0, atol=1e-5)
    assert state is not None
    assert state.shape == (1, 1 + grid[0] * grid[1], DIMENSION)


def test_a_stream_goes_on_where_it_stopped(tmp_path: Path) -> None:
    encoder = load_rvm_encoder("rvm", published(tmp_path, make_arrays()))
    frames = torch.rand(2, 5, 3, 8, 12)
    whole, last = encoder.features(frames)
    first, state = encoder.features(frames[:, :2])
    second, after = encoder.features(frames[:, 2:], state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole, rtol=0, atol=1e-6)
    torch.testing.assert_close(after, last, rtol=0, atol=1e-6)
    forgetful, _ = encoder.features(frames[:, 2:])
    assert (forgetful - second).abs().max() > 0.01


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"encoder/LayerNorm_0/scale": None}, "encoder.LayerNorm_0.weight is missing"),
        ({"rnn_core/memory/kernel": np.ones((2, 2), np.float32)}, "rnn_core/memory/kernel is unknown"),
        ({"cls_token": np.ones((1, 5), np.float32)}, r"cls_token is \(1, 5\)"),
        ({"encoder/layers_1/mlp/dense_in/kernel": np.ones(4, np.float32)}, "dense_in"),
        ({"tokenizer/patch_embedding/Conv_0/kernel": None}, "holds no RVM"),
    ],
)
def test_other_architectures_are_refused(
    tmp_path: Path, change: dict[str, NDArray[Any] | None], complaint: str
) -> None:
    changed = {name: array for name, array in {**make_arrays(), **change}.items() if array is not None}
    with pytest.raises(InputError, match=complaint):
        load_rvm_encoder("rvm", published(tmp_path, changed))


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "rvm.npz").write_bytes(b"not an archive")
    with pytest.raises(InputError, match=r"rvm\.npz"):
        load_rvm_encoder("rvm", RvmEncoderConfig(path=tmp_path / "rvm.npz"))
