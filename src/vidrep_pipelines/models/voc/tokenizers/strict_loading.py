"""Loading weights so that none is missing, unknown or of another size."""

from collections.abc import Mapping

from torch import Tensor, nn

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.weight_file import some_of


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
    problems = [
        f"{name} is missing" for name in own if name not in state and not name.startswith(optional or "\0")
    ]
    problems += [f"{name} is unknown" for name in state if name not in own]
    problems += [
        f"{name} is {tuple(state[name].shape)}, expected {tuple(value.shape)}"
        for name, value in own.items()
        if name in state and state[name].shape != value.shape
    ]
    if problems:
        raise InputError(
            f"{origin} belongs to another architecture: {some_of(problems)}. "
            "Remedy: set the tokenizer's sizes to those the weights were trained with."
        )
    model.load_state_dict({**own, **state})
