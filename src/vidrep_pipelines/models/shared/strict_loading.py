"""Loading weights so that none is missing, unknown or of another size."""

from collections.abc import Mapping

from torch import Tensor, nn

from vidrep_pipelines.models.shared.weight_file import check_architecture


def load_strictly(
    model: nn.Module, state: Mapping[str, Tensor], origin: str, optional: tuple[str, ...] = ()
) -> None:
    """Loads weights under our names.

    Args:
        model: Receives them.
        state: The weights, on any device and of any floating type.
        origin: What to call them in an error, for example the file's name.
        optional: Beginnings of names that may be absent; the model keeps what it has.

    Raises:
        InputError: They are of another architecture; the message names the tensors.
    """
    own = model.state_dict()
    check_architecture(
        state,
        own,
        origin,
        optional=lambda name: name.startswith(optional),
        what="tokenizer's sizes",
        kind="weights were",
    )
    model.load_state_dict({**own, **state})
