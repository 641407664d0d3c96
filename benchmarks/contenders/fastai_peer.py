"""fastai, with its progress bar and log switched off and torch's own optimizers."""

from __future__ import annotations

from functools import partial

import fastai.callback.progress  # noqa: F401 -- gives Learner the method no_bar
import torch
from fastai.callback.core import Callback
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader
from fastai.learner import Learner
from fastai.optimizer import OptimWrapper
from fastai.torch_core import set_seed
from torch.utils.data import TensorDataset

from benchmarks import networks
from benchmarks.workloads import Rows, Stopwatch, Training, Workload


class Clock(Callback):
    """Stops the time of each epoch's training rows; validation does not count."""

    def __init__(self, watch: Stopwatch) -> None:
        self.watch = watch

    def before_train(self) -> None:
        if self.watch.epochs:
            self.watch.start()

    def after_train(self) -> None:
        self.watch.stop()


def train(work: Workload, rows: Rows, seed: int) -> Training:
    """A network of the workloads, rows through fastai's DataLoader."""
    set_seed(seed)
    blocks = networks.tensors(rows)
    dataset = TensorDataset(*blocks)
    # fastai wants rows to validate on after each epoch; one batch is the least
    few = TensorDataset(*(block[: work.batch_size] for block in blocks))
    train_rows = DataLoader(dataset, bs=work.batch_size, shuffle=True, num_workers=0)
    val_rows = DataLoader(few, bs=work.batch_size, num_workers=0)
    loaders = DataLoaders(train_rows, val_rows)
    loaders.n_inp = len(rows.inputs)
    kind, options = torch.optim.Adam, {}
    if work.optimizer == "rmsprop":
        kind, options = torch.optim.RMSprop, {"alpha": 0.9, "eps": 1e-7}
    network = networks.build(work.name)
    learner = Learner(
        loaders,
        network,
        loss_func=networks.loss,
        opt_func=partial(OptimWrapper, opt=kind, **options),
        lr=1e-3,
    )
    watch = Stopwatch()
    with learner.no_bar(), learner.no_logging():
        watch.start()
        learner.fit(work.epochs, cbs=[Clock(watch)])
    return Training(watch, lambda inputs: networks.predict(network, inputs))
