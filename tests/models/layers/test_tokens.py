import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vidrep_pipelines.models.layers.tokens import fill_tokens, random_masking, take_tokens


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4), st.integers(2, 40), st.floats(0.01, 0.99), st.integers(0, 2**31))
def test_masking_is_a_partition(batch: int, patches: int, ratio: float, seed: int) -> None:
    noise = torch.rand(batch, patches, generator=torch.Generator().manual_seed(seed))
    masking = random_masking(noise, ratio)
    kept = int(patches * (1 - ratio))
    assert masking.keep.shape == (batch, kept)
    assert (masking.mask.sum(1) == patches - kept).all()
    assert masking.mask.gather(1, masking.keep).sum() == 0
    assert (masking.restore.sort(dim=1).values == torch.arange(patches)).all()
    ranks = torch.arange(kept).expand(batch, -1)
    assert torch.equal(masking.restore.gather(1, masking.keep), ranks)
    visible = noise.masked_fill(masking.mask.bool(), -1).amax(1)
    removed = noise.masked_fill(~masking.mask.bool(), 2).amin(1)
    assert (visible <= removed).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3), st.integers(2, 20), st.integers(0, 2**31))
def test_filling_puts_taken_tokens_back(batch: int, patches: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(batch, patches, 4, generator=generator)
    masking = random_masking(torch.rand(batch, patches, generator=generator), 0.5)
    filler = torch.full((1, 1, 4), 7.0)
    filled = fill_tokens(take_tokens(tokens, masking.keep), masking.keep, filler, patches)
    removed = masking.mask.bool().unsqueeze(-1)
    assert torch.equal(filled, torch.where(removed, filler, tokens))


def test_equal_noise_is_decided_by_position() -> None:
    assert random_masking(torch.zeros(1, 6), 0.5).keep.tolist() == [[0, 1, 2]]


def test_filler_and_tokens_receive_gradients() -> None:
    filler = torch.zeros(1, 1, 2, requires_grad=True)
    tokens = torch.zeros(1, 2, 2, requires_grad=True)
    fill_tokens(tokens, torch.tensor([[0, 3]]), filler, 5).sum().backward()  # type: ignore[no-untyped-call]
    assert filler.grad is not None and tokens.grad is not None
    assert filler.grad.tolist() == [[[3.0, 3.0]]]
    assert tokens.grad.sum() == 4
