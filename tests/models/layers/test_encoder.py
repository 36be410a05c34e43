import torch

from vidrep_pipelines.compat import timm
from vidrep_pipelines.models.layers.encoder import VisionTransformerEncoder


def make_encoder() -> VisionTransformerEncoder:
    return VisionTransformerEncoder(
        image_size=32, patch_size=8, channels=3, dimension=16, depth=2, heads=2, mlp_ratio=4.0
    )


def test_equals_timm_with_the_same_state_dict() -> None:
    encoder = make_encoder()
    reference = timm.models.vision_transformer.VisionTransformer(
        img_size=32, patch_size=8, embed_dim=16, depth=2, num_heads=2, num_classes=0, global_pool="",
        norm_layer=lambda dimension, **kw: torch.nn.LayerNorm(dimension, eps=1e-6, **kw),
    )  # fmt: skip
    reference.load_state_dict(encoder.state_dict())
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(encoder(images), reference(images), rtol=0, atol=2e-6)


def test_keeping_all_patches_changes_only_their_order() -> None:
    encoder, images = make_encoder(), torch.randn(2, 3, 32, 32)
    order = torch.stack([torch.randperm(16), torch.randperm(16)])
    tokens, shuffled = encoder(images), encoder(images, order)
    torch.testing.assert_close(shuffled[:, 0], tokens[:, 0], rtol=0, atol=2e-6)
    for sample in range(2):
        expected = tokens[sample, 1:][order[sample]]
        torch.testing.assert_close(shuffled[sample, 1:], expected, rtol=0, atol=2e-6)


def test_removed_patches_do_not_influence_the_rest() -> None:
    encoder, keep = make_encoder(), torch.tensor([[3, 0, 9]])
    images = torch.randn(1, 3, 32, 32)
    changed = images.clone()
    changed[:, :, 24:, 24:] = 5.0  # patch 15, which is removed
    assert torch.equal(encoder(images, keep), encoder(changed, keep))
    assert encoder(images, keep).shape == (1, 4, 16)


def test_positions_are_stored_but_not_trained() -> None:
    encoder = make_encoder()
    assert "pos_embed" in encoder.state_dict()
    assert "pos_embed" not in dict(encoder.named_parameters())
