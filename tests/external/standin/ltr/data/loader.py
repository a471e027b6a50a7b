"""Batches along dimension 1, collated with names that Python 3.10 removed, as in the original."""

import collections
import os

import torch


def collate_stack1(batch):
    first = batch[0]
    if isinstance(first, torch.Tensor):
        return torch.stack(batch, 1)
    if first is None or isinstance(first, str):
        return batch
    if isinstance(first, collections.Mapping):
        return {key: collate_stack1([item[key] for item in batch]) for key in first}
    raise TypeError(f"cannot collate {type(first)}")


class LTRLoader(torch.utils.data.DataLoader):
    def __init__(
        self, name, dataset, training=True, batch_size=1, shuffle=False, num_workers=0, epoch_interval=1,
        stack_dim=0, drop_last=False,
    ):  # fmt: skip
        if stack_dim != 1:
            raise ValueError("the settings use stack_dim=1")
        workers = min(num_workers, int(os.environ.get("STANDIN_WORKERS", "0")))
        super().__init__(
            dataset, batch_size, shuffle, num_workers=workers, drop_last=drop_last, collate_fn=collate_stack1
        )
        self.name, self.training, self.epoch_interval, self.stack_dim = (
            name,
            training,
            epoch_interval,
            stack_dim,
        )
