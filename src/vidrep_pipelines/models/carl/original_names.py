"""How the published CARL checkpoints call what our model calls differently."""

from vidrep_pipelines.common.errors import InputError

_PARTS = (
    ("backbone.0.", "backbone.conv1."),
    ("backbone.1.", "backbone.bn1."),
    ("backbone.4.", "backbone.layer1."),
    ("backbone.5.", "backbone.layer2."),
    ("backbone.6.", "backbone.layer3."),
    ("res_finetune.", "backbone.layer4."),
    ("embed.fc_layers.", "head.perceptrons."),
    ("embed.conv_layers.", "head.convolutions."),
    ("embed.video_emb.", "head.to_tokens."),
    ("embed.video_encoder.enc_layers.", "head.layers."),
    ("embed.embedding_layer.", "head.to_embedding."),
    ("ssl_projection.net.", "projection."),
    ("classifier.fc_layers.", "classifier."),
)
_LAYER_PARTS = (
    ("res_layer0.norm.", "attention_norm."),
    ("res_layer1.norm.", "feedforward_norm."),
    ("self_att.linear_Q2d.", "attention.query."),
    ("self_att.linear_K2d.", "attention.key."),
    ("self_att.linear_V2d.", "attention.value."),
    ("self_att.linear_d2Q.", "attention.output."),
    ("feed_forward.fc1.", "expand."),
    ("feed_forward.fc2.", "contract."),
)


def our_name(original: str) -> str:
    """``"res_finetune.0.conv1.weight"`` to ``"backbone.layer4.0.conv1.weight"``.

    Raises:
        InputError: The published model has no such parameter.
    """
    return _translated(original, _PARTS, _LAYER_PARTS)


def original_name(ours: str) -> str:
    """The inverse of :func:`our_name`.

    Raises:
        InputError: Our model has no such parameter.
    """
    parts, layer_parts = ([(new, old) for old, new in table] for table in (_PARTS, _LAYER_PARTS))
    return _translated(ours, parts, layer_parts)


def _translated(
    name: str,
    parts: list[tuple[str, str]] | tuple[tuple[str, str], ...],
    layer_parts: list[tuple[str, str]] | tuple[tuple[str, str], ...],
) -> str:
    for old, new in parts:
        if not name.startswith(old):
            continue
        rest = name.removeprefix(old)
        if not old.endswith("layers.") or not rest.partition(".")[2].startswith(_starts(layer_parts)):
            return new + rest
        number, _, inner = rest.partition(".")
        return f"{new}{number}." + next(
            after + inner.removeprefix(before) for before, after in layer_parts if inner.startswith(before)
        )
    raise InputError(f"{name!r} is no parameter of CARL.")


def _starts(parts: list[tuple[str, str]] | tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    return tuple(old for old, _ in parts)
