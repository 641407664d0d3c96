"""Precision: which numbers a network computes with, chosen by device and network, and said.

What was measured for the choice on the processor (2 cores, AVX-512 with BF16, torch 2.13):

* Convolutions: bfloat16 autocast, channels-last, 5.4 → 3.4 s for 12,800 pictures forward and
  backward. Dense networks gain nothing from it at usual sizes.
* Dense networks: torch's setting "medium" sends matrix products to oneDNN instead of MKL.
  784-128-10 at batch 128: 420 → 330 µs for forward and backward, 784-1024-1024-10 at batch 512:
  22 → 11 ms, but 30-64-64-2 at batch 64: 151 → 247 µs. The gain begins at about 8 million
  multiplications in the largest product of a batch, hence `LARGE_PRODUCT`. The error stayed at
  1e-6 there.
* A processor with matrix units (AMX; 2 cores, Intel) computes these products with inputs rounded
  to bfloat16, and only large ones faster. Forward and backward, 32-bit floats → rounded products:
  784-128-10 at batch 128 610 → 750 µs, 784-512-512-10 at batch 128 4.1 → 1.9 ms; bfloat16 autocast
  1.0 and 3.5 ms there, but 38 → 9 ms for 784-1024-1024-10 at batch 512 (rounded products 12 ms).
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Generator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from deepwell.errors import ConfigError
from deepwell.nn.quick_attention import QuickAttention

LARGE_PRODUCT = 2**23
"""Multiplications in one matrix product from which oneDNN is faster than MKL."""

LARGE_ROUNDED_PRODUCT = 2**25
"""The same where matrix units round the inputs of the product to bfloat16."""

LARGE_WORK = 2e9
"""Multiplications and additions of a batch forwards from which bfloat16 pays for dense networks."""

LARGE_WORK_OF_UNITS = 1e9
"""The same where the processor has matrix units."""

MatmulPrecision = Literal["highest", "high", "medium"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """What was chosen.

    Args:
        device_type: cpu, cuda or mps.
        autocast_type: Type to which torch casts inside the network, or None for no casting.
        matmul: For `torch.set_float32_matmul_precision` while training.
        sentence: The choice and its reason in words.
    """

    device_type: str
    autocast_type: torch.dtype | None
    matmul: MatmulPrecision
    sentence: str

    @property
    def needs_scaler(self) -> bool:
        """Whether gradients would vanish without scaling the loss (16-bit floats only)."""
        return self.autocast_type == torch.float16

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which a network and its loss are computed."""
        if self.autocast_type is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device_type, dtype=self.autocast_type)

    def for_training(self) -> AbstractContextManager[object]:
        """Return `autocast`, on a processor with the attention that is quick on the way back."""
        if self.device_type == "cpu" and self.autocast_type == torch.bfloat16:
            return self._with_quick_attention()
        return self.autocast()

    @contextlib.contextmanager
    def _with_quick_attention(self) -> Generator[None]:
        with self.autocast(), QuickAttention():
            yield

    @contextlib.contextmanager
    def in_force(self) -> Generator[None]:
        """Set the precision of matrix products, and put the former one back at the end."""
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision(self.matmul)
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before)


def choose_precision(
    name: Literal["auto", "fp32", "bf16", "fp16"],
    device: torch.device,
    model: nn.Module,
    *,
    batch_rows: int,
    work: float = 0.0,
    compiles_bytes: bool = False,
) -> Precision:
    """Decide what to compute with.

    "auto" takes bfloat16 on a CUDA card that has it, and on a processor that has it
    (AVX512-BF16 or AMX) for networks with convolutions or recurrent layers and for others with
    much to multiply, such as transformers; else 32-bit floats, on the processor with matrix
    products through oneDNN where they are large. "fp32" is 32-bit floats throughout.

    Args:
        name: From the settings.
        device: Where the network is trained.
        model: Decides whether there are convolutions and how large its matrices are.
        batch_rows: Rows in a batch.
        work: Operations of a batch forwards, see `forward_work`; 0 if that is not known.
        compiles_bytes: Whether the network reads bytes, or floats of no more values, for which
            8 bits are enough, and is compiled, which makes the casts free.

    Raises:
        ConfigError: The device does not have what was asked for.

    Example:
        >>> layer = nn.Linear(2, 2)
        >>> choose_precision("fp32", torch.device("cpu"), layer, batch_rows=8).sentence
        'Computes with 32-bit floats, as asked.'
    """
    if name == "fp32":
        return _precision(device, None, "highest", "32-bit floats, as asked")
    if name == "fp16":
        if device.type != "cuda":
            raise ConfigError(
                f"precision=fp16 needs a CUDA card, and the device is {device.type}: "
                "use precision=auto, bf16 or fp32."
            )
        return _precision(
            device, torch.float16, "high", "16-bit floats and a scaled loss, as asked"
        )
    if name == "bf16":
        if device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
            raise ConfigError(
                "precision=bf16: this CUDA card has no bfloat16. Use precision=fp16 or fp32."
            )
        return _precision(device, torch.bfloat16, "high", "bfloat16 autocast, as asked")
    if device.type == "cuda":
        return _choose_on_cuda(device)
    if device.type == "cpu":
        is_large = batch_rows * largest_matrix(model) >= large_product()
        if compiles_bytes and is_large and processor_has_bfloat16():
            words = "bfloat16 autocast: the processor has it, and 8 bits are enough for the inputs"
            return _precision(device, torch.bfloat16, "highest", words)
        return _choose_on_processor(device, model, batch_rows, work)
    return _precision(device, None, "highest", "32-bit floats")


def _precision(
    device: torch.device, autocast_type: torch.dtype | None, matmul: MatmulPrecision, words: str
) -> Precision:
    return Precision(
        device_type=device.type,
        autocast_type=autocast_type,
        matmul=matmul,
        sentence=f"Computes with {words}.",
    )


def _choose_on_cuda(device: torch.device) -> Precision:
    if torch.cuda.is_bf16_supported(including_emulation=False):
        return _precision(device, torch.bfloat16, "high", "bfloat16 autocast: the card has it")
    return _precision(device, None, "highest", "32-bit floats: the card has no bfloat16")


def _choose_on_processor(
    device: torch.device, model: nn.Module, batch_rows: int, work: float
) -> Precision:
    has_units = processor_has_matrix_units()
    reason = _reason_for_bfloat16(model, work, LARGE_WORK_OF_UNITS if has_units else LARGE_WORK)
    if reason and processor_has_bfloat16():
        words = f"bfloat16 autocast: the processor has it and the network {reason}"
        return _precision(device, torch.bfloat16, "highest", words)
    if has_convolutions(model):
        return _precision(device, None, "highest", "32-bit floats: the processor has no bfloat16")
    if batch_rows * largest_matrix(model) < large_product():
        return _precision(device, None, "highest", "32-bit floats")
    words = "32-bit floats, with the large matrix products through oneDNN"
    if has_units:
        words += ", which rounds their inputs to bfloat16 on this processor"
    return _precision(device, None, "medium", words)


def _reason_for_bfloat16(model: nn.Module, work: float, large: float) -> str:
    if has_convolutions(model):
        return "has convolutions"
    if any(isinstance(module, nn.RNNBase) for module in model.modules()):
        return "has recurrent layers"
    return "has much to multiply" if work >= large else ""


def forward_work(model: nn.Module, inputs: tuple[Tensor, ...]) -> float:
    """Count the multiplications and additions of a batch forwards, on its first two rows.

    Nothing is changed: the network is in evaluation mode meanwhile, and as before afterwards.

    Example:
        >>> forward_work(nn.Linear(10, 5), (torch.zeros(8, 10),))
        800.0
    """
    from torch.utils.flop_counter import FlopCounterMode

    rows = len(inputs[0])
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model(*(block[:2] for block in inputs))
    finally:
        model.train(was_training)
    return counter.get_total_flops() * rows / min(rows, 2)


def has_convolutions(model: nn.Module) -> bool:
    """Return whether any layer is a convolution, also one that holds its weights itself."""
    kinds = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
    return wants_channels_last(model) or any(isinstance(m, kinds) for m in model.modules())


def wants_channels_last(model: nn.Module) -> bool:
    """Return whether pictures should lie with their channels last: 2-d convolutions like that."""
    return any(parameter.ndim == 4 for parameter in model.parameters())


def lay_channels_last(model: nn.Module) -> None:
    """Lay the kernels of convolutions out in memory with their channels last, in place."""
    for parameter in model.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def largest_matrix(model: nn.Module) -> int:
    """Return the number of weights in the largest matrix, 0 if there is none.

    Tables of embeddings are looked up, not multiplied, and do not count.
    """
    tables = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    matrices = (p.numel() for p in model.parameters() if p.ndim == 2 and id(p) not in tables)
    return max(matrices, default=0)


def processor_has_bfloat16() -> bool:
    """Return whether the processor multiplies bfloat16 in hardware (AVX512-BF16 or AMX)."""
    flags = _processor_flags()
    if not flags:
        return torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return "avx512_bf16" in flags or "amx_bf16" in flags


def large_product() -> int:
    """Return the multiplications in one product from which oneDNN is faster here."""
    return LARGE_ROUNDED_PRODUCT if processor_has_matrix_units() else LARGE_PRODUCT


def processor_has_matrix_units() -> bool:
    """Return whether the processor has matrix units for bfloat16 (AMX)."""
    return "amx_bf16" in _processor_flags()


@functools.cache
def _processor_flags() -> str:
    """Return what the system says of the processor; "" where it says nothing."""
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
