"""What taming-transformers calls the parts of its encoder and decoder, and what we call them."""

_PIECES = {
    "conv_in": "convolution_in",
    "conv_out": "convolution_out",
    "conv1": "convolution1",
    "conv2": "convolution2",
    "conv": "convolution",
    "nin_shortcut": "shortcut",
    "block": "blocks",
    "attn": "attentions",
    "downsample": "resample",
    "upsample": "resample",
    "down": "levels",
    "up": "levels",
    "mid": "middle",
    "block_1": "before",
    "attn_1": "attention",
    "block_2": "after",
    "q": "query",
    "k": "key",
    "v": "value",
    "proj_out": "output",
}
_PIECES_BACK = {ours: theirs for theirs, ours in _PIECES.items()}
_DIRECTIONS = {
    "encoder.": {"levels": "down", "resample": "downsample"},
    "decoder.": {"levels": "up", "resample": "upsample"},
}


def our_path(original: str) -> str:
    """``"encoder.down.0.block.1.nin_shortcut.weight"`` to ``"encoder.levels.0.blocks.1.shortcut.weight"``."""
    return _translated(original, _PIECES)


def original_path(ours: str, network: str) -> str:
    """The inverse of :func:`our_path`.

    Args:
        ours: Path of a parameter, as a whole or below the network.
        network: ``"encoder."`` or ``"decoder."``, which call some parts differently; others are as they are.
    """
    return _translated(ours, _PIECES_BACK | _DIRECTIONS.get(network, {}))


def _translated(name: str, pieces: dict[str, str]) -> str:
    return ".".join(pieces.get(piece, piece) for piece in name.split("."))
