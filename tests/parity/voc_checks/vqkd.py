"""The tokenizer ``dino``: features, codes, losses, gradients, the codes' movement, k-means, its layout."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.parity.voc_checks.recorded import (
    close,
    close_norms,
    gradients_of,
    read_arrays,
    read_config,
    read_weights,
)
from vidrep_pipelines.models.shared.code_counts import code_counts
from vidrep_pipelines.models.shared.trained import load_strictly
from vidrep_pipelines.models.voc.tokenizers.config import PixelConfig
from vidrep_pipelines.models.voc.tokenizers.dino.checkpoint_io import infer_config, load_into, to_original
from vidrep_pipelines.models.voc.tokenizers.dino.config import (
    TeacherConfig,
    TransformerConfig,
    VqkdConfig,
    VqkdObjectiveConfig,
)
from vidrep_pipelines.models.voc.tokenizers.dino.model import VqkdTokenizer, spherical_kmeans
from vidrep_pipelines.models.voc.tokenizers.dino.objective import Teacher, VqkdLosses, vqkd_objective

DECAY = VqkdObjectiveConfig().decay
ITERATIONS = VqkdObjectiveConfig().kmeans_iterations


def check(folder: Path) -> None:
    recorded, arrays = read_config(folder, "vqkd"), read_arrays(folder, "vqkd")
    weights = read_weights(folder, "vqkd")
    model = VqkdTokenizer(_config(recorded))
    load_into(model, weights, "vqkd.safetensors")
    teacher = _teacher(folder, recorded)
    _check_layout(model, weights, recorded)
    _check_evaluation(model, teacher, arrays, recorded["beta"])
    load_into(model, weights, "vqkd.safetensors")  # counting moved the counts
    _check_training(model.train(), teacher, arrays, recorded)
    _check_kmeans(arrays)


def _transformer(recorded: dict[str, Any], mlp_ratio: float) -> TransformerConfig:
    return TransformerConfig(
        dimension=recorded["embed_dim"],
        depth=recorded["depth"],
        heads=recorded["num_heads"],
        mlp_ratio=mlp_ratio,
    )


def _config(recorded: dict[str, Any]) -> VqkdConfig:
    return VqkdConfig(
        pixels=PixelConfig(size=recorded["img_size"], normalization="symmetric"),
        patch_size=recorded["patch_size"],
        encoder=_transformer(recorded, recorded["mlp_ratio"]),
        decoder=_transformer(recorded["decoder"], recorded["mlp_ratio"]),
        vocabulary=recorded["n_embed"],
        code_dimension=recorded["code_dim"],
        teacher_dimension=recorded["teacher"]["embed_dim"],
        counting="always",
    )


def _teacher(folder: Path, recorded: dict[str, Any]) -> Teacher:
    settings = recorded["teacher"]
    network = _transformer(settings, recorded["mlp_ratio"])
    teacher = Teacher(TeacherConfig(network=network, patch_size=settings["patch_size"]), recorded["img_size"])
    load_strictly(teacher.network, read_weights(folder, "dino_teacher"), "dino_teacher.safetensors")
    return teacher


def _check_layout(model: VqkdTokenizer, weights: dict[str, Tensor], recorded: dict[str, Any]) -> None:
    back = to_original(model.state_dict())
    assert back.keys() == weights.keys()
    assert all(torch.equal(back[name], value) for name, value in weights.items())
    # No shape shows heads; they matter for the config only.
    inferred = infer_config(weights, model.pixels, heads=1).model_dump()
    for part in ("encoder", "decoder"):
        assert inferred[part].pop("heads") == 1
    expected = model.config.model_dump(exclude={"encoder": {"heads"}, "decoder": {"heads"}})
    assert inferred | {"counting": "always"} == expected


@torch.no_grad()
def _check_evaluation(model: VqkdTokenizer, teacher: Teacher, arrays: dict[str, Tensor], beta: float) -> None:
    model.eval()
    images = arrays["x"]
    close(model.patch_features(images), arrays["encoder_features"], "encoder_features")
    close(model.latents(images).flatten(1, 2), arrays["to_quantizer"], "to_quantizer")
    losses = vqkd_objective(model, teacher, images, beta)
    _check_forward(losses, arrays)
    assert torch.equal(model.encode(images), losses.outputs.codes)
    close(model.quantizer.counts, arrays["cluster_size_after_eval"], "cluster_size_after_eval")
    entries = model.codebook[losses.outputs.codes].flatten(1)
    close(entries, arrays["codebook_entry"], "codebook_entry")


def _check_forward(losses: VqkdLosses, arrays: dict[str, Tensor]) -> None:
    outputs = losses.outputs
    close(outputs.entries, arrays["quant"], "quant")
    assert torch.equal(outputs.codes.flatten(1), arrays["codes"])
    close(losses.commitment, arrays["quant_loss"], "quant_loss")
    close(outputs.features, arrays["decoder_out"], "decoder_out")
    close(losses.target, arrays["teacher_target"], "teacher_target")
    close(losses.features, arrays["rec_loss"], "rec_loss")


def _check_training(
    model: VqkdTokenizer, teacher: Teacher, arrays: dict[str, Tensor], recorded: dict[str, Any]
) -> None:
    losses = vqkd_objective(model, teacher, arrays["x"], recorded["beta"])
    close(losses.loss, arrays["train_loss"], "train_loss")
    losses.loss.backward()
    gradients = to_original(gradients_of(model))
    close_norms(recorded["grad_param_names"], gradients, arrays["grad_norms"], arrays["total_grad_norm"])
    outputs, quantizer = losses.outputs, model.quantizer
    quantizer.observe(outputs.directions.detach().flatten(0, -2), outputs.codes.flatten())
    quantizer.update(DECAY, torch.Tensor.detach)
    close(model.codebook, arrays["codebook_after_train_update"], "codebook_after_train_update")
    close(quantizer.counts, arrays["cluster_size_after_train"], "cluster_size_after_train")
    assert code_counts(outputs.codes, model.vocabulary).sum() == outputs.codes.numel()


def _check_kmeans(arrays: dict[str, Tensor]) -> None:
    samples = arrays["kmeans_samples"]
    means, counts = spherical_kmeans(samples, samples[arrays["kmeans_init_index"]], ITERATIONS)
    close(means, arrays["kmeans_means"], "kmeans_means")
    assert torch.equal(counts.long(), arrays["kmeans_bins"].long())
