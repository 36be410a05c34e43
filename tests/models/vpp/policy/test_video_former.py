import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from tests.models.vpp.policy.tiny import FORMER, PLACES, make_policy_batch
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.models.vpp.policy.config import VideoFormerConfig
from vidrep_pipelines.models.vpp.policy.video_former import (
    FlatFeatures,
    ProjectedFeatures,
    VideoFormer,
    build_video_former,
    features_of_views,
)


def _former(kind: str) -> VideoFormer | ProjectedFeatures | FlatFeatures:
    torch.manual_seed(0)
    more = {"places": PLACES, "components": 4} if kind == "flat" else {}
    former = build_video_former(
        VideoFormerConfig.model_validate({**FORMER.model_dump(), "kind": kind, **more})
    )
    if isinstance(former, FlatFeatures):
        former.fit(_many_features())
    return former


def _many_features() -> Tensor:
    """Features of sixty moments."""
    one = make_policy_batch().features
    return torch.randn(60, *one.shape[1:], generator=torch.Generator().manual_seed(5))


def _frames_seen(kind: str) -> list[bool]:
    """For each frame, whether the tokens of the first one depend on it."""
    features = make_policy_batch().features.requires_grad_()
    tokens = _former(kind)(features)
    per_frame = tokens.shape[1] // FORMER.frames
    tokens[:, :per_frame].square().sum().backward()
    assert features.grad is not None
    return [bool(frame.abs().max() > 1e-8) for frame in features.grad.unbind(1)]


@pytest.mark.parametrize(
    ("kind", "tokens", "seen"),
    [
        ("3d", 6, [True, True]),
        ("2d", 6, [True, False]),
        ("linear", 14, [True, False]),
        ("flat", 6, [True, True]),
    ],
)
def test_kinds_differ_in_tokens_and_in_the_frames_that_these_see(
    kind: str, tokens: int, seen: list[bool]
) -> None:
    assert _former(kind)(make_policy_batch().features).shape == (3, tokens, 16)
    assert _frames_seen(kind) == seen


def test_the_order_of_places_does_not_matter_but_that_of_frames_does() -> None:
    former, features = _former("3d"), make_policy_batch().features
    tokens = former(features)
    torch.testing.assert_close(former(features.flip(2)), tokens)
    assert not torch.allclose(former(features.flip(1)), tokens, atol=1e-2)


def test_flat_tokens_know_the_places_of_features() -> None:
    former, features = _former("flat"), make_policy_batch().features
    assert not torch.allclose(former(features.flip(2)), former(features), atol=1e-2)
    with pytest.raises(InputError, match=f"have {PLACES - 1} places, the policy knows {PLACES}"):
        former(features[:, :, 1:])
    with pytest.raises(ValidationError, match="flat needs places"):
        VideoFormerConfig(kind="flat")


def test_flat_tokens_are_of_the_components_that_vary_most() -> None:
    former = _former("flat")
    assert isinstance(former, FlatFeatures)
    features = _many_features()
    always = 10 * torch.randn(features.shape[1:], generator=torch.Generator().manual_seed(3))
    hidden = 5 * torch.outer(torch.arange(60.0) % 7, torch.arange(features[0].numel()).sin()).view_as(
        features
    )
    former.fit(features + hidden + always)
    components = (features + hidden + always).flatten(1).sub(former.center) @ former.basis
    torch.testing.assert_close(components.T @ components / 60, torch.eye(4), atol=0.05, rtol=0)
    along = torch.corrcoef(torch.stack([components[:, 0], torch.arange(60.0) % 7]))[0, 1]
    assert abs(float(along)) > 0.99
    again = build_video_former(former.config)
    assert isinstance(again, FlatFeatures)
    again.fit(features + hidden + always)
    assert torch.equal(again.basis, former.basis)


def test_components_need_more_items_than_there_are_of_them() -> None:
    former = _former("flat")
    assert isinstance(former, FlatFeatures)
    with pytest.raises(ConfigurationError, match=r"4 items are too few to find 4 principal components"):
        former.fit(_many_features()[:4])
    with pytest.raises(ValidationError, match="components are of kind flat"):
        VideoFormerConfig(kind="3d", components=4)


@pytest.mark.parametrize("kind", ["3d", "linear"])
def test_with_encodings_of_places_their_order_matters(kind: str) -> None:
    places = make_policy_batch().features.shape[2]
    config = VideoFormerConfig.model_validate({**FORMER.model_dump(), "kind": kind, "places": places})
    torch.manual_seed(0)
    former, features = build_video_former(config), make_policy_batch().features
    order = torch.arange(places).flip(0)
    flipped = former(features[:, :, order])
    if kind == "linear":  # its tokens have the order of the features
        flipped = flipped.unflatten(1, (FORMER.frames, places))[:, :, order].flatten(1, 2)
    assert not torch.allclose(flipped, former(features), atol=1e-2)
    with pytest.raises(InputError, match=f"have {places - 1} places, the policy knows {places}"):
        former(features[:, :, 1:])


def test_every_weight_gets_a_gradient() -> None:
    former = _former("3d")
    former(make_policy_batch().features).square().mean().backward()
    assert [name for name, value in former.named_parameters() if value.grad is None] == []
    assert len(former.blocks()) == FORMER.depth and _former("linear").blocks() == []


def test_without_compression_each_feature_is_projected() -> None:
    former, features = _former("linear"), make_policy_batch().features
    assert isinstance(former, ProjectedFeatures) and isinstance(former.projection, nn.Linear)
    torch.testing.assert_close(former(features)[:, 7], former.projection(features[:, 1, 0]))


@pytest.mark.parametrize("kind", ["3d", "linear"])
def test_features_of_other_sizes_are_refused(kind: str) -> None:
    former, features = _former(kind), make_policy_batch().features
    for wrong in (features[:, :1], features[..., :5], features[0]):
        with pytest.raises(InputError, match=r"takes \(B, 2, N, 12\).*Remedy"):
            former(wrong)


def test_views_lie_side_by_side_in_the_row_of_places() -> None:
    features = torch.arange(2 * 3 * 2 * 5 * 2 * 2).reshape(6, 2, 5, 2, 2)  # two views of three observations
    joined = features_of_views(features, views=2)
    assert joined.shape == (3, 2, 8, 5)
    assert torch.equal(joined[1, 0, :4], features[1, 0].flatten(1).T)
    assert torch.equal(joined[1, 1, 4:], features[4, 1].flatten(1).T)
