"""Linear layers that use the fast matrix product of the CPU they run on."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FastLinear(nn.Linear):
    """A linear layer that runs in oneDNN when it computes in float32 on a CPU.

    torch gives dense float32 products to MKL, which takes a slow path on processors that are not Intel's;
    the same product on oneDNN's own tensors, forward and backward, was measured 2.0 times faster on a Zen 5
    at every size of RSP, and is equal to float32 rounding. Everything else (GPUs, half precision, autocast,
    compiled code) is an ordinary linear layer.
    """

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (B, N, D), or rows (..., D), to the same shape with ``out_features`` channels."""
        if not _are_float32_tokens_on_cpu(tokens, self.weight):
            return F.linear(tokens, self.weight, self.bias)
        return F.linear(tokens.to_mkldnn(), self.weight, self.bias).to_dense()


class ContinuingLinear(nn.Linear):
    """A linear layer that is fast on two or three rows, too: sequences that go on token by token.

    On a CPU, torch's float32 product of so few rows with the weights takes two to three times as long as it
    takes to read these from memory. With both factors transposed it takes hardly longer (one thread of a
    Zen 5; 1.2 times if the weights have more columns than rows). Everything else is an ordinary linear layer.
    """

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (..., D) to the same shape with ``out_features`` channels."""
        rows = tokens.numel() // self.in_features
        ordinary = rows not in (2, 3) or tokens.device.type != "cpu" or tokens.dtype != torch.float32
        if ordinary or torch.is_autocast_enabled("cpu"):
            return super().forward(tokens)
        columns = torch.addmm(self.bias[:, None], self.weight, tokens.reshape(rows, -1).T)
        return columns.T.reshape(*tokens.shape[:-1], self.out_features)


def _are_float32_tokens_on_cpu(tokens: Tensor, weight: Tensor) -> bool:
    return (
        not torch.compiler.is_compiling()  # which knows no tensors of oneDNN
        and tokens.ndim == 3  # a handful of rows is not worth rearranging the weights for
        and tokens.device.type == "cpu"
        and tokens.dtype == weight.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    )


def use_fast_linear_layers(module: nn.Module) -> None:
    """Turns every plain linear layer in ``module`` into a :class:`FastLinear` with the same parameters."""
    for name, child in module.named_children():
        if type(child) is nn.Linear:
            layer = FastLinear(child.in_features, child.out_features, child.bias is not None, device="meta")
            layer.weight, layer.bias = child.weight, child.bias
            setattr(module, name, layer)
        else:
            use_fast_linear_layers(child)
