"""Checks for any network: run them on your own modules.

Each check raises `AssertionError` with a sentence that says what is wrong.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.autograd.gradcheck import GradcheckError, gradcheck

Factory = Callable[[], nn.Module]


def check_module(
    factory: Factory,
    inputs: tuple[Tensor, ...],
    *,
    overfit_steps: int = 200,
    learning_rate: float = 0.01,
) -> None:
    """Run all checks of this file on a network.

    Args:
        factory: Makes the network. For the last check it should be without dropout.
        inputs: Eight or more different rows, one tensor a block; floating-point inputs of
            about mean 0 and standard deviation 1.
        overfit_steps: Steps in which the network must learn eight rows by heart; 0: leave this
            check out.
        learning_rate: For this check; deep networks want less than the default.

    Raises:
        AssertionError: A check failed.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> check_module(lambda: nn.Linear(10, 2), (torch.randn(8, 10),))
    """
    torch.manual_seed(0)
    check_forward(factory(), inputs)
    check_gradients(factory(), inputs)
    check_state(factory, inputs)
    check_batch_of_one(factory(), inputs)
    check_rows_are_independent(factory(), inputs)
    if overfit_steps:
        check_overfits(factory(), inputs, steps=overfit_steps, learning_rate=learning_rate)


def check_forward(model: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Check that outputs are finite, one a row, and the same when asked twice.

    Raises:
        AssertionError: They are not.
    """
    outputs = _evaluate(model, inputs)
    _require(len(outputs) == len(inputs[0]), "The output must have one row for each input row.")
    _require(bool(outputs.isfinite().all()), "The output must be finite.")
    again = _evaluate(model, inputs)
    _require(torch.equal(outputs, again), "In evaluation mode, two calls must give the same.")


def check_gradients(model: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Check that every parameter receives a finite gradient in training.

    Raises:
        AssertionError: One has none, or one that is not finite.
    """
    model.train()
    outputs = model(*inputs)
    # a random direction: a plain sum has gradient zero behind a normalisation
    (outputs * torch.randn_like(outputs)).sum().backward()
    for name, weight in model.named_parameters():
        if not weight.requires_grad:
            continue
        _require(weight.grad is not None, f"The parameter {name} receives no gradient.")
        is_finite = weight.grad is not None and bool(weight.grad.isfinite().all())
        _require(is_finite, f"The gradient of {name} is not finite.")


def check_state(factory: Factory, inputs: tuple[Tensor, ...]) -> None:
    """Check that weights loaded into a new network, and a deep copy, give the same outputs.

    Raises:
        AssertionError: They do not.
    """
    model = factory()
    model.train()
    model(*inputs)  # running means leave their start
    outputs = _evaluate(model, inputs)
    other = factory()
    other.load_state_dict(model.state_dict())
    message = "A new network with the same state dict must give the same outputs."
    _require(torch.equal(_evaluate(other, inputs), outputs), message)
    clone = copy.deepcopy(model)
    _require(torch.equal(_evaluate(clone, inputs), outputs), "A deep copy must give the same.")
    with torch.no_grad():
        for weight in clone.parameters():
            weight.add_(1.0)
    _require(torch.equal(_evaluate(model, inputs), outputs), "A deep copy must share no weights.")


def check_batch_of_one(model: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Check a batch of one row: in evaluation, and in training if no layer normalises over it.

    In training a network of several members may answer several times for each row, see
    `deepwell.tasks.Task.training_step`.

    Raises:
        AssertionError: The output has another shape than a row of a batch.
    """
    single = tuple(block[:1] for block in inputs)
    row_shape = _evaluate(model, inputs).shape[1:]
    message = "A batch of one row must give an output of one row."
    _require(_evaluate(model, single).shape == (1, *row_shape), message)
    if not any(_normalises_over_batch(module) for module in model.modules()):
        model.train()
        members = len(model(*inputs)) // len(inputs[0])
        _require(model(*single).shape == (members, *row_shape), message)


def check_rows_are_independent(
    model: nn.Module, inputs: tuple[Tensor, ...], *, tolerance: float = 1e-4
) -> None:
    """Check that, in evaluation, a row's output does not depend on the other rows.

    Raises:
        AssertionError: Another order or fewer rows change it.
    """
    outputs = _evaluate(model, inputs)
    order = torch.arange(len(outputs)).flip(0)
    mixed = _evaluate(model, tuple(block[order] for block in inputs))
    half = _evaluate(model, tuple(block[: len(block) // 2] for block in inputs))
    for part, expected in ((mixed, outputs[order]), (half, outputs[: len(half)])):
        difference = (part - expected).abs().max()
        scale = expected.abs().max().clamp(min=1.0)
        message = "The output for a row must not depend on the other rows of the batch."
        _require(bool(difference <= tolerance * scale), message)


def check_overfits(
    model: nn.Module, inputs: tuple[Tensor, ...], *, steps: int = 200, learning_rate: float = 0.01
) -> None:
    """Check that the network learns eight rows of random targets by heart.

    Raises:
        AssertionError: The squared error stays above a tenth of its start.
    """
    rows = tuple(block[:8] for block in inputs)
    model.train()
    outputs = model(*rows)
    targets = torch.randn(outputs.shape, dtype=outputs.dtype, device=outputs.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    start = loss = torch.inf
    for step in range(steps):
        error = (model(*rows) - targets).square().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        loss = error.item()
        start = loss if step == 0 else start
        if loss < start / 10:
            return
    raise AssertionError(
        f"The network must learn eight rows by heart: the squared error went from {start:.3g} "
        f"to {loss:.3g} in {steps} steps."
    )


def check_derivatives(model: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Compare the gradients of the parameters with finite differences, in double precision.

    Args:
        model: A tiny network, without dropout; it is changed to double precision.
        inputs: A few rows.

    Raises:
        AssertionError: They differ.
    """
    model.double().eval()
    rows = tuple(block.double() if block.is_floating_point() else block for block in inputs)
    names = [name for name, weight in model.named_parameters() if weight.requires_grad]
    weights = [weight for weight in model.parameters() if weight.requires_grad]

    def run(*values: Tensor) -> Tensor:
        replaced = dict(zip(names, values, strict=True))
        return torch.func.functional_call(model, replaced, rows)

    try:
        gradcheck(run, weights)
    except GradcheckError as error:
        message = f"Gradients and finite differences differ: {error}"
        raise AssertionError(message) from error


def _evaluate(model: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
    model.eval()
    with torch.no_grad():
        return model(*inputs)


def _normalises_over_batch(module: nn.Module) -> bool:
    return hasattr(module, "running_mean")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)
