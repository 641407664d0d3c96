"""Hugging Face's Trainer, without progress bar, log and checkpoints."""

from __future__ import annotations

import tempfile

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from transformers import Trainer, TrainerCallback, TrainingArguments, set_seed

from benchmarks import networks
from benchmarks.workloads import Rows, Stopwatch, Training, Workload


class Labelled(nn.Module):
    """A network that returns its loss, as the Trainer wants it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, first: Tensor, labels: Tensor, second: Tensor | None = None) -> object:
        outputs = self.network(first) if second is None else self.network(first, second)
        return {"loss": networks.loss(outputs, labels), "logits": outputs}


class NamedRows(Dataset):
    """Rows as dictionaries."""

    def __init__(self, rows: Rows) -> None:
        self.blocks = networks.tensors(rows)
        names = ("first", "second")[: len(rows.inputs)]
        self.names = (*names, "labels")

    def __len__(self) -> int:
        return len(self.blocks[-1])

    def __getitem__(self, row: int) -> dict[str, Tensor]:
        return {name: block[row] for name, block in zip(self.names, self.blocks, strict=True)}


def train(work: Workload, rows: Rows, seed: int) -> Training:
    """A network of the workloads, rows through the Trainer's own loader."""
    set_seed(seed)
    watch = Stopwatch()

    class Clock(TrainerCallback):
        def on_epoch_end(self, *_: object, **__: object) -> None:
            watch.lap()

    model = Labelled(networks.build(work.name))
    further = {}
    if work.optimizer == "rmsprop":
        optimizer = networks.optimizer(work, model)
        constant = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
        further["optimizers"] = (optimizer, constant)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model,
            TrainingArguments(
                folder,
                num_train_epochs=work.epochs,
                per_device_train_batch_size=work.batch_size,
                learning_rate=1e-3,
                lr_scheduler_type="constant",
                max_grad_norm=0.0,  # nobody else clips
                use_cpu=True,
                save_strategy="no",
                logging_strategy="no",
                report_to="none",
                disable_tqdm=True,
                dataloader_pin_memory=False,
                seed=seed,
            ),
            train_dataset=NamedRows(rows),
            callbacks=[Clock()],
            **further,
        )
        watch.start()
        trainer.train()
    return Training(watch, lambda blocks: networks.predict(model.network, blocks))
