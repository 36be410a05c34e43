"""The policy: a denoiser of actions that sees what a video model predicts.

Video Prediction Policy (arXiv 2412.14803), stage 2. Shapes: features (B, F, N, C) of F predicted frames, the
N places of all views in a row; goals (B, 1, G); a chunk of actions (B, A, a) from -1 to 1; states (B, 1, S).
"""

from dataclasses import dataclass

from torch import Tensor, nn

from vidrep_pipelines.models.vpp.policy.config import PolicyModelConfig
from vidrep_pipelines.models.vpp.policy.denoiser import ActionDenoiser, PolicyContext
from vidrep_pipelines.models.vpp.policy.video_former import build_video_former


@dataclass(frozen=True)
class ActionFactors:
    """EDM's factors (arXiv 2206.00364, table 1), each (B, 1, 1).

    D(x; sigma) = c_skip x + c_out F(c_in x; sigma).
    """

    c_skip: Tensor
    c_out: Tensor
    c_in: Tensor


def action_factors(sigma: Tensor, sigma_data: float) -> ActionFactors:
    """The factors of positive noise levels (B,)."""
    sigma = sigma.reshape(-1, 1, 1)
    total = sigma.square() + sigma_data**2
    return ActionFactors(
        c_skip=sigma_data**2 / total, c_out=sigma * sigma_data / total.sqrt(), c_in=1 / total.sqrt()
    )


class PolicyModel(nn.Module):
    """Video Former and denoiser: what is trained of the policy; the video model before it is frozen."""

    def __init__(self, config: PolicyModelConfig) -> None:
        """Builds both networks with random weights."""
        super().__init__()
        self.config = config
        self.video_former = build_video_former(config.former)
        self.denoiser = ActionDenoiser(config.denoiser, config.former.width)

    def context(self, features: Tensor, goal: Tensor, state: Tensor | None = None) -> PolicyContext:
        """Reads all that the policy sees; one result serves every denoising step of a chunk.

        Args:
            features: (B, F, N, C) of the video model.
            goal: (B, 1, G).
            state: (B, 1, S), for policies that see it.

        Raises:
            InputError: One of them is missing, not asked for, or of another size.
        """
        return self.denoiser.encode(self.video_former(features), goal, state)

    def output(self, noisy: Tensor, sigma: Tensor, context: PolicyContext) -> Tensor:
        """The network's output F (B, A, a) in single precision for actions + sigma * noise and sigma (B,)."""
        scaled = action_factors(sigma, self.config.sigma_data).c_in * noisy
        output: Tensor = self.denoiser(scaled, sigma, context)
        return output.float()

    def denoise(self, noisy: Tensor, sigma: Tensor, context: PolicyContext) -> Tensor:
        """D(x; sigma), the actions that the network sees behind the noise.

        Args:
            noisy: (B, A, a) actions + sigma * noise.
            sigma: (B,) noise levels above zero.
            context: From :meth:`context`.

        Returns:
            (B, A, a) in single precision, also under autocast.
        """
        factors = action_factors(sigma, self.config.sigma_data)
        return factors.c_out * self.output(noisy, sigma, context) + factors.c_skip * noisy

    def blocks(self) -> list[nn.Module]:
        """Layers of Video Former and encoder: nearly all of the work, and the units of sharding.

        The decoder's are not among them: the context's keys and values are made by parts of them alone.
        """
        return [*self.video_former.blocks(), *self.denoiser.encoder]
