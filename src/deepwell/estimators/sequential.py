"""A network written layer by layer, with the verbs of Keras: compile, fit, evaluate, predict."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from deepwell.engine import EngineSettings, FitResult, Progress, TensorBatches, fit
from deepwell.errors import ConfigError, DataError, DeepwellError, ModelError
from deepwell.estimators.arrays import (
    DataFormat,
    channels_to_front,
    check_numbers,
    require_equal_length,
    to_array,
)
from deepwell.estimators.layer_table import layer_table
from deepwell.estimators.objectives import (
    OBJECTIVES,
    Objective,
    activated,
    choose_metrics,
    infer_objective,
)
from deepwell.estimators.weights import read_weights, write_weights
from deepwell.models.summary import evaluating
from deepwell.nn.layers import Conv2D, Dense, GlobalAveragePooling2D, MaxPooling2D

PICTURE_LAYERS = (
    *(Conv2D, MaxPooling2D, GlobalAveragePooling2D),
    *(nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d, nn.AvgPool2d),
    *(nn.AdaptiveMaxPool2d, nn.AdaptiveAvgPool2d),
)
"""Layers by which a network is known to read pictures."""

ROWS_AT_ONCE = 1024
"""Rows that `predict` and `evaluate` compute together."""


class History(dict[str, list[float]]):
    """What `fit` returns: loss, metrics and their `val_` twins, one number an epoch.

    Example:
        >>> History(loss=[0.7, 0.4]).history["loss"]
        [0.7, 0.4]
    """

    @property
    def history(self) -> dict[str, list[float]]:
        """The dictionary itself, under the name that it has in Keras."""
        return self


class Sequential(nn.Module):
    """Layers, one behind the other.

    The layers are those of `deepwell.nn.layers`, which find their input size by themselves, or any
    modules of torch. The network is an ordinary module of torch, too: give it to `deepwell.train`,
    `DeepClassifier` or `deepwell.engine.fit`.

    A softmax or sigmoid at the end is kept apart. Called as a module, the network returns logits,
    from which the loss is computed without rounding 1 - p to 0; `predict` returns probabilities.
    With the losses mse and mae the network returns what its last activation returns.

    Args:
        layers: The layers. A `Sequential` among them gives its layers.
        seed: Of the first weights, of dropout and of the order of the rows.
        data_format: What arrays with four dimensions are in `fit`, `evaluate` and `predict`:
            "channels_last", (rows, height, width, channels), as in Keras; or "channels_first".
            Called as a module, pictures always have their channels first.

    Raises:
        ModelError: Something is not a layer.

    Example:
        >>> from deepwell.nn.layers import Dense
        >>> network = Sequential([Dense(128, activation="relu"), Dense(10)])
        >>> network.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy")
        >>> pixels, digits = np.random.rand(256, 784), np.arange(256) % 10
        >>> history = network.fit(pixels, digits, epochs=5, batch_size=128, verbose=0)
        >>> len(history["loss"]), sorted(network.evaluate(pixels, digits))
        (5, ['accuracy', 'loss'])
        >>> network.predict(pixels).shape
        (256, 10)
        >>> network.summary()
        Layer    Output shape  Parameters
        Dense    (batch, 128)     100,480
        Dense    (batch, 10)        1,290
        101,770 parameters, all of them trainable
    """

    history: History

    def __init__(
        self,
        layers: Iterable[nn.Module] = (),
        *,
        seed: int = 0,
        data_format: DataFormat = "channels_last",
    ) -> None:
        super().__init__()
        if data_format not in ("channels_last", "channels_first"):
            raise ConfigError(
                f'data_format is "channels_last" or "channels_first". Got: {data_format!r}.'
            )
        if isinstance(layers, nn.Module) and not isinstance(layers, nn.Sequential | nn.ModuleList):
            raise ModelError("Sequential takes a list of layers: Sequential([Dense(10), …]).")
        self.layers = nn.ModuleList()
        self.output_activation: nn.Module = nn.Identity()
        self.seed = seed
        self.data_format: DataFormat = data_format
        self.history = History()
        self._is_parted_from_last = False
        self._loss: str | None = None
        self._metrics: Sequence[str] | None = None
        self._settings = _engine_settings("rmsprop", None)
        self._row_shape: tuple[int, ...] | None = None
        for layer in layers:
            self.add(layer)

    def add(self, layer: nn.Module) -> None:
        """Put a layer behind the others.

        Raises:
            ModelError: It is not a layer.
        """
        if isinstance(layer, Sequential):
            for inner in layer._release():
                self.add(inner)
            return
        if not isinstance(cast("object", layer), nn.Module):
            made = f": write {layer.__name__}(…)" if isinstance(layer, type) else ""
            raise ModelError(
                f"A layer is one of deepwell.nn.layers or a module of torch. Got: {layer!r}{made}."
            )
        self.layers = nn.ModuleList([*self._release(), layer])
        self._part()

    def _part(self) -> None:
        """Take a softmax or sigmoid from the end of the layers."""
        last = self.layers[-1]
        if isinstance(last, nn.Softmax | nn.Sigmoid):
            self.output_activation, self.layers = last, self.layers[:-1]
        elif isinstance(last, Dense | Conv2D) and _activation_name(last.activation):
            self.output_activation, last.activation = last.activation, nn.Identity()
            self._is_parted_from_last = True

    def _release(self) -> list[nn.Module]:
        """Put the activation back where it was, and return all layers."""
        layers = list(self.layers)
        if self._is_parted_from_last:
            cast("Dense | Conv2D", layers[-1]).activation = self.output_activation
        elif not isinstance(self.output_activation, nn.Identity):
            layers.append(self.output_activation)
        self.output_activation, self._is_parted_from_last = nn.Identity(), False
        return layers

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits, or answers where the loss compares these.

        Args:
            inputs: (batch, …); pictures with their channels first.
        """
        for layer in self.layers:
            inputs = layer(inputs)
        is_answer = self._loss is not None and not OBJECTIVES[self._loss].activation
        return self.output_activation(inputs) if is_answer else inputs

    def compile(  # pyright: ignore[reportIncompatibleMethodOverride] -- the name is Keras's
        self,
        optimizer: str = "rmsprop",
        loss: str | None = None,
        *,
        metrics: Sequence[str] | None = None,
        learning_rate: float | None = None,
    ) -> None:
        """Choose how the network learns.

        This is Keras's verb; what torch calls so is ``torch.compile(network)``.

        Args:
            optimizer: A name in `deepwell.engine.OPTIMIZERS`.
            loss: sparse_categorical_crossentropy, categorical_crossentropy, binary_crossentropy,
                mse or mae; None is chosen by y. Cross-entropies expect logits or the activation
                that belongs to them, softmax or sigmoid.
            metrics: What is computed beside the loss; None is accuracy where there are classes.
            learning_rate: None is the default of the optimizer.

        Raises:
            ConfigError: An unknown name, or things that do not go together.
        """
        self._settings = _engine_settings(optimizer, learning_rate)
        if loss is not None:
            self._check_activation(OBJECTIVES[loss])
            choose_metrics(OBJECTIVES[loss], metrics)
        self._loss, self._metrics = loss, metrics

    def fit(
        self,
        x: Any,
        y: Any,
        *,
        batch_size: int = 32,
        epochs: int = 1,
        validation_split: float = 0.0,
        validation_data: tuple[Any, Any] | None = None,
        callbacks: Sequence[object] = (),
        verbose: int = 1,
    ) -> History:
        """Train, from the weights that the network has.

        With validation rows the network ends with the weights of its best epoch, else with the
        last ones. The optimizer begins anew in each call.

        Args:
            x: (rows, …): numbers, or pictures as `data_format` says; (rows, height, width) are
                pictures of one channel where a layer reads pictures.
            y: Class numbers (rows,), zeros and ones (rows, classes), or numbers.
            batch_size: Rows in a step.
            epochs: How often the rows are seen.
            validation_split: Share of the rows that is not learned from: the last ones, as they
                are. Shuffle them before if they are sorted.
            validation_data: Other rows, (x, y), instead.
            callbacks: See `deepwell.engine.Callback`.
            verbose: 0 is silent, else the progress is shown on stderr.

        Returns:
            Losses and metrics, one number an epoch.

        Raises:
            DataError: x or y is empty, of another length, not finite, or does not fit the loss.
            ModelError: The layers cannot read x.
            ConfigError: A setting does not make sense.
            TrainingError: The loss is not a finite number.
            KeyboardInterrupt: Stopped by Ctrl-C; the weights stay, and `history` has the epochs.
        """
        inputs, answers = self._read_pair(x, y)
        val = self._read_pair(*_pair(validation_data)) if validation_data is not None else None
        if validation_split:
            if val is not None:
                raise ConfigError("Give validation_split or validation_data, not both.")
            at = _split_place(len(inputs), validation_split)
            inputs, answers, val = inputs[:at], answers[:at], (inputs[at:], answers[at:])
        objective, train = self._batches(inputs, answers, batch_size, shuffle=True)
        settings = EngineSettings.model_validate(
            {**self._settings.model_dump(), "epochs": epochs, "batch_size": batch_size}
        )
        result = fit(
            self,
            objective,
            train,
            val_batches=None if val is None else self._batches(*val, ROWS_AT_ONCE)[1],
            settings=settings,
            callbacks=[Progress(), *callbacks] if verbose else callbacks,
            seed=self.seed,
        )
        return self._keep(result)

    def _keep(self, result: FitResult) -> History:
        self.history = History()
        for record in result.history:
            for prefix, part in (("", "train"), ("val_", "val")):
                for name, value in record[part].items():
                    self.history.setdefault(f"{prefix}{name}", []).append(value)
        if result.interrupted:
            raise KeyboardInterrupt(result.stopped)
        return self.history

    def evaluate(self, x: Any, y: Any) -> dict[str, float]:
        """Return the mean loss and the metrics on these rows, by name.

        Raises:
            DataError: x or y is empty, of another length, not finite, or does not fit the loss.
            ModelError: The layers cannot read x.
        """
        inputs, answers = self._read_pair(x, y)
        objective, targets = self._targets(inputs, answers)
        return objective.measure(self._run(inputs), torch.from_numpy(targets))

    def predict(self, x: Any) -> NDArray[np.float32]:
        """Return the answers: probabilities where there are classes, else numbers.

        Args:
            x: Rows, as for `fit`.

        Returns:
            (rows, …), as the last layer has it; pictures as `data_format` says.

        Raises:
            DataError: x is empty or not finite.
            ModelError: The layers cannot read x.
        """
        inputs = self._read_x(x)
        self._outputs_shape(inputs)
        outputs = self._run(inputs)
        if self._loss is None:
            outputs = self.output_activation(outputs)
        else:
            outputs = activated(outputs, OBJECTIVES[self._loss].activation)
        answers = cast("NDArray[np.float32]", outputs.numpy())
        is_turned = answers.ndim == 4 and self.data_format == "channels_last"
        return np.moveaxis(answers, 1, -1) if is_turned else answers

    def summary(self, input_shape: Sequence[int] | None = None) -> None:
        """Print the layers, what they return (pictures channels first) and what they hold.

        Args:
            input_shape: Shape of one row, such as (28, 28, 1); needed before the first `fit`.

        Raises:
            ModelError: The shape is not known yet, or the layers cannot read it.
        """
        if input_shape is not None:
            example = np.zeros((2, *input_shape), dtype=np.float32)
            inputs = self._read_x(example)
            self._outputs_shape(inputs)
        elif self._row_shape is not None:
            inputs = self._cast(np.zeros((2, *self._row_shape), dtype=np.float32))
        else:
            raise ModelError("What x looks like is not known yet: summary(input_shape=(784,)).")
        rows = torch.from_numpy(inputs).to(self._device)
        sys.stdout.write(layer_table(self, list(self.layers), rows) + "\n")

    def save_weights(self, path: str | Path) -> Path:
        """Write the weights to a safetensors file. For a portable model, use `deepwell.train`.

        Raises:
            ModelError: The layers have no weights yet.
            OutputError: The file cannot be written.
        """
        return write_weights(self, Path(path))

    def load_weights(self, path: str | Path) -> None:
        """Fill the network, built from the same layers, with the weights of a file.

        Raises:
            ArtifactError: There is no such file, it is damaged, or its weights do not fit.
        """
        read_weights(self, Path(path))

    @property
    def _device(self) -> torch.device:
        return next((weight.device for weight in self.parameters()), torch.device("cpu"))

    def _read_pair(self, x: Any, y: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        inputs, answers = self._read_x(x), self._turned(to_array(y, "y"))
        require_equal_length(inputs, answers)
        return inputs, answers

    def _read_x(self, x: Any) -> NDArray[Any]:
        inputs = to_array(x, "x")
        check_numbers(inputs)
        return self._cast(self._turned(inputs))

    def _turned(self, array: NDArray[Any]) -> NDArray[Any]:
        reads_pictures = any(isinstance(layer, PICTURE_LAYERS) for layer in self.modules())
        return channels_to_front(array, self.data_format, has_picture_layers=reads_pictures)

    def _cast(self, inputs: NDArray[Any]) -> NDArray[Any]:
        """Return the type that the first layer reads; one number a row becomes a column."""
        if len(self.layers) and isinstance(self.layers[0], nn.Embedding | nn.EmbeddingBag):
            return inputs.astype(np.int64)
        column = inputs[:, None] if inputs.ndim == 1 else inputs
        return np.require(column, dtype=np.float32, requirements=["C", "W"])

    def _outputs_shape(self, inputs: NDArray[Any]) -> tuple[int, ...]:
        """Run two rows, which also gives new layers their weights; return the shape of one."""
        if not len(self.layers):
            raise ModelError("The network has no layers: add some, such as Dense(10).")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            try:
                outputs = self._run(inputs[:2])
            except DeepwellError:
                raise
            except (RuntimeError, TypeError, ValueError, IndexError) as error:
                raise ModelError(
                    f"The layers cannot read x, with rows of shape {tuple(inputs.shape[1:])} "
                    f"(channels first): {error}"
                ) from error
        if outputs.ndim < 2 or len(outputs) != len(inputs[:2]):
            raise ModelError(
                "The last layer must return (rows, …), such as Dense(10) does. "
                f"Got: {tuple(outputs.shape)} for {len(inputs[:2])} rows."
            )
        self._row_shape = tuple(inputs.shape[1:])
        return tuple(outputs.shape[1:])

    def _run(self, inputs: NDArray[Any]) -> Tensor:
        """Return what the network returns, on the processor."""
        rows = torch.from_numpy(inputs)
        with evaluating(self), torch.no_grad():
            parts = [self(part.to(self._device)).float().cpu() for part in rows.split(ROWS_AT_ONCE)]
        return torch.cat(parts)

    def _targets(
        self, inputs: NDArray[Any], answers: NDArray[Any]
    ) -> tuple[Objective, NDArray[Any]]:
        """Return the loss, chosen by y if nobody chose it before, and the targets that it reads."""
        outputs, name = self._outputs_shape(inputs), self._loss
        if name is None:
            name = infer_objective(answers, outputs, _activation_name(self.output_activation))
        objective = OBJECTIVES[name]
        self._check_activation(objective)
        targets = objective.encode(answers, outputs)
        self._loss = name
        return replace(objective, metric_names=choose_metrics(objective, self._metrics)), targets

    def _check_activation(self, objective: Objective) -> None:
        found = _activation_name(self.output_activation)
        if found and objective.activation and found != objective.activation:
            raise ConfigError(
                f"The loss {objective.name} goes with {objective.activation} or no activation at "
                f"the end, but the last layer has {found}."
            )

    def _batches(
        self, inputs: NDArray[Any], answers: NDArray[Any], batch_size: int, *, shuffle: bool = False
    ) -> tuple[Objective, TensorBatches]:
        objective, targets = self._targets(inputs, answers)
        return objective, TensorBatches(
            (inputs,), targets, batch_size=batch_size, shuffle=shuffle, seed=self.seed
        )


def _activation_name(module: nn.Module) -> str:
    """Return "softmax" or "sigmoid", or "" for any other module."""
    if isinstance(module, nn.Softmax):
        return "softmax"
    return "sigmoid" if isinstance(module, nn.Sigmoid) else ""


def _engine_settings(optimizer: str, learning_rate: float | None) -> EngineSettings:
    return EngineSettings(optimizer=optimizer, learning_rate=learning_rate, schedule="constant")


def _pair(data: Any) -> tuple[Any, Any]:
    if not isinstance(data, tuple | list) or len(cast("Sequence[Any]", data)) != 2:
        raise DataError("validation_data is a pair (x, y).")
    x, y = cast("Sequence[Any]", data)
    return x, y


def _split_place(count: int, share: float) -> int:
    """Return where the validation rows begin."""
    if not 0 <= share < 1:
        raise ConfigError(f"validation_split is a share, from 0 to below 1. Got: {share}.")
    place = int(count * (1 - share))
    if not 0 < place < count:
        raise DataError(
            f"validation_split={share:g} of {count} rows leaves {place} to learn from and "
            f"{count - place} to validate on: give more rows or another share."
        )
    return place
