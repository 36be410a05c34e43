import numpy as np
import pytest

from vidrep_pipelines.adapters.occupancy_acting_config import CloningConfig
from vidrep_pipelines.evaluation.occupancy.cloning import clone_actions

QUICK = CloningConfig(width=32, steps=400, batch_size=64, learning_rate=5e-3, dropout=0.0)


def test_cloning_finds_which_token_at_which_place_means_which_action() -> None:
    rng = np.random.default_rng(0)
    meant = rng.standard_normal((3, 4, 2))  # place, token, number of the action
    states, held_out = rng.integers(4, size=(600, 3)), rng.integers(4, size=(100, 3))
    actions, wanted = (meant[np.arange(3), part].sum(axis=1) for part in (states, held_out))
    fitted = clone_actions(states, actions, (held_out, wanted), 4, QUICK, seed=0)
    assert np.mean((fitted.act(held_out) - wanted) ** 2) < 0.1 * wanted.var()


def test_the_weights_of_the_least_error_on_held_out_episodes_are_kept() -> None:
    """Noise is learned by heart: more updates must not do worse on what is held out."""
    rng = np.random.default_rng(1)
    states, held_out = rng.integers(30, size=(100, 3)), rng.integers(30, size=(100, 3))
    actions, wanted = rng.standard_normal((100, 1)), rng.standard_normal((100, 1))
    errors = []
    for steps in (100, 400):
        config = QUICK.model_copy(update={"steps": steps})
        fitted = clone_actions(states, actions, (held_out, wanted), 30, config, seed=0)
        errors.append(float(np.mean((fitted.act(held_out) - wanted) ** 2)))
    assert errors[1] <= errors[0]


def test_equal_seeds_clone_equally() -> None:
    states, actions = np.random.default_rng(2).integers(4, size=(50, 3)), np.ones((50, 1))
    config = QUICK.model_copy(update={"steps": 20})
    one, again = (clone_actions(states, actions, (states, actions), 4, config, seed=3) for _ in range(2))
    assert np.array_equal(one.act(states), again.act(states))
    with pytest.raises(RuntimeError):
        one.act(states + 100)
