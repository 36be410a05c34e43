"""The models against recorded outputs, gradients, batch statistics and updates."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from tests.parity.discovery import Case, at_precision
from tests.parity.precision import tolerance
from vidrep_pipelines.data.transforms import normalize
from vidrep_pipelines.models.carl.checkpoint_io import load_into, original_name, our_name, to_original
from vidrep_pipelines.models.carl.config import CarlModelConfig, CarlObjectiveConfig, EmbeddingConfig
from vidrep_pipelines.models.carl.heads import frame_positions
from vidrep_pipelines.models.carl.inference import embed_frames
from vidrep_pipelines.models.carl.model import CarlModel, parameter_groups
from vidrep_pipelines.models.carl.objective import Excerpts, carl_objective

Arrays = Mapping[str, NDArray[Any]]

# As the fixtures' README states them: evaluation outputs; the contrastive loss; losses after steps; losses of
# TCC and TCN; norms of gradients.
VALUE_TOLERANCE, LOSS_TOLERANCE, STEP_TOLERANCE, PAIR_TOLERANCE = 1e-5, 2e-6, 1e-5, 1e-4
NORM_TOLERANCE, NORM_FLOOR = 1e-3, 1e-4


@dataclass(frozen=True)
class _Recorded:
    """A recorded model and what it computed."""

    case: Case

    @cached_property
    def config(self) -> dict[str, Any]:
        return self.case.config

    @cached_property
    def arrays(self) -> Arrays:
        with np.load(self.case.folder / "case.npz", allow_pickle=False) as file:
            return {name: file[name] for name in file.files}

    def tensor(self, name: str) -> Tensor:
        return at_precision(torch.from_numpy(self.arrays[name]))

    def frames(self, name: str) -> Tensor:
        return at_precision(normalize(self.tensor(name)))

    def model(self, **changes: Any) -> CarlModel:
        """Loaded from the recorded weights, in evaluation mode."""
        config, weights = self.config, load_file(self.case.folder / "model.safetensors")
        common = {
            "image_size": config["image_size"],
            "frames": config["num_frames"],
            "stage_widths": config["channels"],
            "stage_blocks": config["layers"],
            "embedding_width": config["embedding"],
            "hidden_width": config["fc"],
            "dropout": config["dropout"],
            "projection_width": config.get("projection_hidden"),
        }
        own = _transformer(config) if "num_layers" in config else _convolutional(config)
        model = CarlModel(CarlModelConfig(**{**common, **own, **changes}))
        load_into(model, weights, self.case.folder.name)
        for name, value in to_original(model.state_dict()).items():
            assert name.endswith("num_batches_tracked") or torch.equal(value, at_precision(weights[name]))
        return model.eval()


def _transformer(config: dict[str, Any]) -> dict[str, Any]:
    return {
        "token_width": config["hidden"],
        "feedforward_width": config["d_ff"],
        "heads": config["heads"],
        "layers": config["num_layers"],
        "frames_per_block": None,
    }


def _convolutional(config: dict[str, Any]) -> dict[str, Any]:
    return {
        "encoder": "conv",
        "context_frames": config["num_contexts"],
        "convolution_width": config["conv"],
        "first_trained_stage": 0,
        "frames_per_block": None,
        "normalize": config["l2_normalize"],
    }


def _close(found: Tensor, expected: NDArray[Any]) -> None:
    permitted = tolerance(VALUE_TOLERANCE)
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=permitted, atol=permitted)


def _check_gradients(model: nn.Module, names: NDArray[Any], norms: NDArray[Any]) -> Tensor:
    """Compares the norm of every gradient; returns the norm over all of them."""
    parameters = dict(model.named_parameters())
    for name, norm in zip(names.tolist(), norms.tolist(), strict=True):
        gradient = parameters[our_name(name)].grad
        if norm < 0:
            assert gradient is None, name
        elif norm > 0 or gradient is not None:  # 0 may also mean none
            assert gradient is not None, name
            permitted = tolerance(NORM_TOLERANCE) * norm + tolerance(NORM_FLOOR)
            assert abs(float(gradient.norm()) - norm) <= permitted, name
    assert {original_name(name) for name in parameters} == set(names.tolist())
    gradients = [parameter.grad.norm() for parameter in parameters.values() if parameter.grad is not None]
    total: Tensor = torch.stack(gradients).norm()
    return total


def check_evaluation(case: Case) -> None:
    recorded = _Recorded(case)
    model, frames = recorded.model(), recorded.frames("video_u8").flatten(0, 1)
    with torch.no_grad():
        if "num_layers" not in recorded.config:
            frames = recorded.frames("video_u8")
            _close(model.embed(frames), recorded.arrays["eval_emb"])
            return
        mask = recorded.tensor("video_masks").flatten(0, 1)
        maps = model.backbone.stem(frames[0])
        for stage in (1, 2, 3):
            maps = model.backbone.stage(stage, maps)
        _close(maps, recorded.arrays["eval_backbone_view0"])
        _close(model.backbone(frames[0]), recorded.arrays["eval_layer4_view0"])
        _close(model.embed(frames, mask), recorded.arrays["eval_emb"])
        _close(model.embed(frames), recorded.arrays["eval_emb_nomask"])
        _close(model.head(model.pool(frames), mask), recorded.arrays["eval_emb_no_l2"])
        _close(model(frames, mask), recorded.arrays["eval_proj"])
        _close(model.embed(recorded.frames("video_s2_u8")), recorded.arrays["eval_emb_s2"])
        blocked = recorded.model(frames_per_block=recorded.config["frames_per_batch_blocked"])
        _close(blocked.embed(frames, mask), recorded.arrays["eval_emb"])


def check_positions(case: Case) -> None:
    recorded = _Recorded(case)
    for name in ("posenc_T", "posenc_S2"):
        expected = recorded.arrays[name]
        found = frame_positions(len(expected), recorded.config["num_frames"], expected.shape[1])
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


def check_whole_video(case: Case) -> None:
    recorded = _Recorded(case)
    frames, labels = recorded.tensor("chunk_video_u8")[0], recorded.tensor("chunk_labels")[0]
    config = EmbeddingConfig(chunk_frames=recorded.config["chunk_max"], seams="published")
    embeddings = embed_frames(recorded.model(), lambda ranks: frames[ranks], len(frames), config)
    _close(embeddings[labels >= 0], recorded.arrays["chunk_embs_valid"])
    np.testing.assert_array_equal(labels[labels >= 0].numpy(), recorded.arrays["chunk_labels_valid"])


def _contrast(recorded: _Recorded) -> tuple[Excerpts, CarlObjectiveConfig]:
    views = Excerpts(
        positions=recorded.tensor("steps"),
        lengths=recorded.tensor("seq_lens"),
        mask=recorded.tensor("video_masks"),
    )
    config = CarlObjectiveConfig(
        temperature=recorded.config["temperature"],
        label_variance=recorded.config["label_variance"],
        negatives=recorded.config["negative_type"],
    )
    return views, config


def _contrastive_loss(recorded: _Recorded, model: CarlModel) -> Tensor:
    views, config = _contrast(recorded)
    frames = recorded.frames("video_u8")
    outputs = model(frames.flatten(0, 1), views.mask.flatten(0, 1)).unflatten(0, frames.shape[:2])
    return carl_objective(outputs, views, config).loss


def check_training(case: Case) -> None:
    recorded = _Recorded(case)
    blocks = {"train": None, "trainblk": recorded.config["frames_per_batch_blocked"]}
    for kind, frames_per_block in blocks.items():
        model = recorded.model(frames_per_block=frames_per_block).train()
        loss = _contrastive_loss(recorded, model)
        loss.backward()  # type: ignore[no-untyped-call]
        np.testing.assert_allclose(
            loss.item(), recorded.arrays[f"{kind}_loss"], rtol=tolerance(LOSS_TOLERANCE)
        )
        total = _check_gradients(
            model, *(recorded.arrays[f"{kind}_grad_{part}"] for part in ("names", "norms"))
        )
        np.testing.assert_allclose(
            total, recorded.arrays[f"{kind}_total_grad_norm"], rtol=tolerance(NORM_TOLERANCE)
        )
        _check_statistics(model, recorded.arrays, f"{kind}_after:", our_name)


def _check_statistics(model: nn.Module, arrays: Arrays, prefix: str, name_of: Callable[[str], str]) -> None:
    state = model.state_dict()
    found = [name for name in arrays if name.startswith(prefix)]
    assert found
    for name in found:
        _close(state[name_of(name.removeprefix(prefix))], arrays[name])


def check_updates(case: Case) -> None:
    recorded = _Recorded(case)
    config, model = recorded.config, recorded.model().train()
    groups = parameter_groups(model, config["weight_decay"])
    counts = [len(group["params"]) for group in groups]
    np.testing.assert_array_equal(counts, recorded.arrays["optim_group_tensor_counts"])
    optimizer = torch.optim.Adam(groups, lr=config["lr"])
    losses = []
    for _ in recorded.arrays["adam3_losses"]:
        loss = _contrastive_loss(recorded, model)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), config["grad_clip"])
        optimizer.step()
        losses.append(loss.item())
    np.testing.assert_allclose(losses, recorded.arrays["adam3_losses"], rtol=tolerance(STEP_TOLERANCE))
    _check_updated(model.head.to_embedding.weight, recorded.arrays["adam3_embed_embedding_layer_weight"])
    _check_updated(
        model.get_parameter("backbone.layer4.0.conv1.weight"), recorded.arrays["adam3_res_finetune_conv1"]
    )


def _check_updated(found: Tensor, expected: NDArray[Any]) -> None:
    differences = np.abs(found.detach().numpy() - expected)
    assert differences.max() <= 1e-4  # Adam turns the sign of a gradient near zero into a step: not rounding
    assert (differences <= tolerance(1e-6)).mean() >= 0.99


def check_comparing_videos(case: Case) -> None:
    """TCC of every recorded kind, or TCN."""
    recorded = _Recorded(case)
    options = recorded.config["tcc"]
    for kind in sorted({name.partition(":")[0] for name in recorded.arrays if ":" in name}):
        model = recorded.model().train()
        outputs = model(recorded.frames("video_u8"))
        lengths, positions = recorded.tensor("seq_lens"), recorded.tensor("steps")
        if recorded.config["algo"] == "tcn":
            config = CarlObjectiveConfig(name="tcn")
            views = Excerpts(positions[:, None], lengths[:, None], torch.ones_like(positions)[:, None])
            found = carl_objective(outputs[:, None], views, config)
        else:
            config = CarlObjectiveConfig(
                name="tcc",
                cycle_loss=kind,
                similarity=options["SIMILARITY_TYPE"],
                temperature=options["SOFTMAX_TEMPERATURE"],
                label_smoothing=options["LABEL_SMOOTHING"],
                variance_weight=options["VARIANCE_LAMBDA"],
                normalize_time=options["NORMALIZE_INDICES"],
            )
            views = Excerpts(positions[None], lengths[None], torch.ones_like(positions)[None])
            found = carl_objective(outputs[None], views, config)
        found.loss.backward()  # type: ignore[no-untyped-call]
        np.testing.assert_allclose(
            found.loss.item(), recorded.arrays[f"{kind}:loss"], rtol=tolerance(PAIR_TOLERANCE)
        )
        for theirs, ours in (("squared_error", "squared_error"), ("pred_time_log_var", "log_variance")):
            if f"{kind}:{theirs}" in recorded.arrays:
                value = found.metrics[ours].item()
                np.testing.assert_allclose(
                    value, recorded.arrays[f"{kind}:{theirs}"], rtol=tolerance(PAIR_TOLERANCE)
                )
        _check_gradients(model, *(recorded.arrays[f"{kind}:grad_{part}"] for part in ("names", "norms")))
        _check_statistics(
            model,
            recorded.arrays,
            f"{kind}:after_",
            lambda name: name.replace("backbone_bn1_", "backbone.bn1."),
        )


TRANSFORMER_CHECKS = (
    check_evaluation,
    check_positions,
    check_whole_video,
    check_training,
    check_updates,
)
CONVOLUTIONAL_CHECKS = (check_evaluation, check_comparing_videos)
