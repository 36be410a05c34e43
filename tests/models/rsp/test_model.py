import torch
from torch import nn

from tests.models.rsp.tiny import CONFIG, make_frames, make_model
from vidrep_pipelines.models.layers.tokens import sine_cosine_positions


def test_initialization() -> None:
    model = make_model()
    torch.testing.assert_close(model.encoder.pos_embed, sine_cosine_positions(32, 4))
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            bound = (6 / (layer.in_features + layer.out_features)) ** 0.5
            assert not layer.bias.any()
            assert 0.8 * bound < layer.weight.abs().max() <= bound
        if isinstance(layer, nn.LayerNorm):
            assert layer.eps == 1e-6
            assert (layer.weight == 1).all() and not layer.bias.any()
    projection = model.encoder.patch_embed.get_parameter("proj.weight")
    assert projection.abs().max() <= (6 / (32 + 3 * 64)) ** 0.5
    for token in (model.encoder.cls_token, model.decoder.mask_token):
        assert 0.005 < token.std() < 0.05


def test_shapes() -> None:
    model, (source, target) = make_model(), make_frames(2)
    source_tokens, target_tokens = model.encoder(source), model.encoder(target)
    assert source_tokens.shape == (2, 17, 32)
    posterior = model.posterior(source_tokens, target_tokens)
    assert posterior.shape == model.prior(source_tokens).shape == (2, 20)
    sample = torch.zeros(2, model.latent.sample_size)
    assert model.decoder.future_context(source_tokens, sample).shape == (2, 18, 32)
    assert model.predict_future(source_tokens, sample).shape == (2, 16, 192)
    keep = torch.tensor([[1, 5], [0, 15]])
    visible = model.encoder(target, keep)
    assert model.decoder.masked_context(visible, keep).shape == (2, 17, CONFIG.decoder_dimension)
    assert model.reconstruct(visible, keep).shape == (2, 16, 192)


def test_the_decoder_sees_the_frame_only_through_the_context() -> None:
    model, (source, target) = make_model(), make_frames(2)
    keep = torch.tensor([[0, 1, 2, 3], [0, 1, 2, 3]])
    changed = target.clone()
    changed[:, :, 8:] = 0  # everything below the first row of patches
    first, second = (model.reconstruct(model.encoder(frame, keep), keep) for frame in (target, changed))
    assert torch.equal(first, second)
    sample = torch.zeros(2, model.latent.sample_size)
    other = sample.clone()
    other[:, 0] = 1
    tokens = model.encoder(source)
    assert not torch.equal(model.predict_future(tokens, sample), model.predict_future(tokens, other))
