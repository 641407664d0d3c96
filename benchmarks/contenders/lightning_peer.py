"""Lightning, with its progress bar, logger and checkpoints switched off."""

from __future__ import annotations

import time
import warnings

import lightning
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from benchmarks import networks
from benchmarks.contenders.plain_torch import network
from benchmarks.harness import Sample
from benchmarks.pictures import Pictures
from benchmarks.workloads import Rows, Stopwatch, Training, Workload


class Lecture(lightning.LightningModule):
    """784-128-10."""

    def __init__(self) -> None:
        super().__init__()
        self.network = network()

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        inputs, labels = batch
        return functional.cross_entropy(self.network(inputs), labels)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)


def lecture(pictures: Pictures, seed: int) -> Sample:
    """784-128-10, rows through torch's DataLoader in the same process."""
    warnings.simplefilter("ignore")  # advice on worker processes, which do not help here
    lightning.seed_everything(seed, verbose=False)
    rows = TensorDataset(
        torch.from_numpy(pictures.train_vectors), torch.from_numpy(pictures.train_labels)
    )
    loader = DataLoader(rows, batch_size=128, shuffle=True)
    model = Lecture()
    trainer = lightning.Trainer(
        max_epochs=5,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    started = time.perf_counter()
    trainer.fit(model, loader)
    seconds = time.perf_counter() - started
    with torch.no_grad():
        classes = model.network(torch.from_numpy(pictures.test_vectors)).argmax(dim=1).numpy()
    return Sample(seconds, {"test_accuracy": pictures.accuracy(classes)})


class Work(lightning.LightningModule):
    """A network of the workloads."""

    def __init__(self, work: Workload) -> None:
        super().__init__()
        self.network = networks.build(work.name)
        self.work = work

    def training_step(self, batch: tuple[Tensor, ...], _: int) -> Tensor:
        *inputs, targets = batch
        return networks.loss(self.network(*inputs), targets)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return networks.optimizer(self.work, self.network)


def train(work: Workload, rows: Rows, seed: int) -> Training:
    """A network of the workloads, rows through torch's DataLoader in the same process."""
    warnings.simplefilter("ignore")  # advice on worker processes, which do not help here
    lightning.seed_everything(seed, verbose=False)
    watch = Stopwatch()

    class Clock(lightning.Callback):
        def on_train_epoch_end(self, *_: object) -> None:
            watch.lap()

    loader = DataLoader(
        TensorDataset(*networks.tensors(rows)), batch_size=work.batch_size, shuffle=True
    )
    model = Work(work)
    trainer = lightning.Trainer(
        max_epochs=work.epochs,
        accelerator="cpu",
        logger=False,
        callbacks=[Clock()],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    watch.start()
    trainer.fit(model, loader)
    return Training(watch, lambda blocks: networks.predict(model.network, blocks))
