"""The networks of the workloads in Keras's own layers; pictures lie with their channels last."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers


def build(name: str) -> keras.Model:
    """Return the network of a workload; it returns logits."""
    return NETWORKS[name]()


def mlp() -> keras.Model:
    return keras.Sequential(
        [keras.Input((784,)), layers.Dense(128, activation="relu"), layers.Dense(10)]
    )


def cnn() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(10),
        ]
    )


def resnet18() -> keras.Model:
    pictures = keras.Input((32, 32, 3))
    features = _normalised(pictures, 64, 3, 1)
    features = layers.ReLU()(features)
    for channels, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        features = _block(features, channels, stride)
        features = _block(features, channels, 1)
    return keras.Model(pictures, layers.Dense(10)(layers.GlobalAveragePooling2D()(features)))


def _block(inputs: Any, channels: int, stride: int) -> Any:
    features = layers.ReLU()(_normalised(inputs, channels, 3, stride))
    features = _normalised(features, channels, 3, 1)
    is_same = stride == 1 and inputs.shape[-1] == channels
    shortcut = inputs if is_same else _normalised(inputs, channels, 1, stride)
    return layers.ReLU()(layers.Add()([features, shortcut]))


def _normalised(inputs: Any, channels: int, size: int, stride: int) -> Any:
    features = layers.Conv2D(channels, size, stride, padding="same", use_bias=False)(inputs)
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(features)


def lstm() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((100,), dtype="int32"),
            layers.Embedding(10_002, 64),
            layers.LSTM(64),
            layers.Dense(2),
        ]
    )


class Places(layers.Layer):
    """Adds a learned vector for each place, (batch, steps, width)."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        shape = tuple(input_shape[1:])
        self.vectors = self.add_weight(shape=shape, initializer="random_normal")

    def call(self, inputs: Any) -> Any:
        return inputs + self.vectors


def gpt() -> keras.Model:
    tokens = keras.Input((256,), dtype="int32")
    features = Places()(layers.Embedding(256, 256)(tokens))
    for _ in range(4):
        normal = layers.LayerNormalization(epsilon=1e-5)(features)
        attention = layers.MultiHeadAttention(num_heads=4, key_dim=64)
        features = features + attention(normal, normal, use_causal_mask=True)
        hidden = layers.LayerNormalization(epsilon=1e-5)(features)
        hidden = layers.Dense(1024, activation="gelu")(hidden)
        features = features + layers.Dense(256)(hidden)
    features = layers.LayerNormalization(epsilon=1e-5)(features)
    return keras.Model(tokens, layers.Dense(256, use_bias=False)(features))


def table() -> keras.Model:
    numbers = keras.Input((20,))
    codes = keras.Input((10,), dtype="int32")
    offsets = 64 * keras.ops.arange(10, dtype="int32")
    vectors = layers.Flatten()(layers.Embedding(640, 8)(codes + offsets))
    features = layers.Concatenate()([numbers, vectors])
    features = layers.Dense(128, activation="relu")(features)
    features = layers.Dense(64, activation="relu")(features)
    return keras.Model([numbers, codes], layers.Dense(2)(features))


NETWORKS = {
    "mlp": mlp,
    "cnn": cnn,
    "resnet18": resnet18,
    "lstm": lstm,
    "gpt": gpt,
    "table": table,
}
