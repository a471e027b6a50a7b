"""What happens when a loss is not finite: keep the evidence, skip the step, give up after a few."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ebm.exceptions import InputError, NumericalError
from ltr.admin.checkpoint_io import write_checkpoint

__all__ = ["NonFiniteGuard"]


class NonFiniteGuard:
    """Skips at most `limit` steps of a run and saves the batch and the network of each.

    Args:
        net: the network; its buffers are put back when a step is rejected, since the forward pass has already
            mixed the bad batch into the running statistics of batch normalisation.
        folder: where the evidence goes.
        limit: steps that may be skipped in a run.
    """

    def __init__(self, net: nn.Module, folder: Path, limit: int) -> None:
        self.net = net
        self.folder = folder
        self.limit = limit
        self.count = 0
        self._buffers: list[Tensor] = []
        self._copies: list[Tensor] = []

    def before_step(self) -> None:
        """Remember the buffers as they are."""
        if not self._copies:
            self._buffers = list(self.net.buffers())
            self._copies = [buffer.clone() for buffer in self._buffers]
        with torch.no_grad():
            for copy, buffer in zip(self._copies, self._buffers):
                copy.copy_(buffer)

    def reject(
        self, batch: Mapping[str, Any], values: Mapping[str, float], epoch: int, step: int, rank: int = 0
    ) -> str:
        """Undo what the step did to the network and save it with the batch.

        Args:
            batch: the batch at fault.
            values: the statistics of the step.
            epoch: number of the epoch, from 1.
            step: number of the step in it, from 1.
            rank: number of the process; each has its own share of the batch.

        Returns: where the evidence is, or why it is not kept, as the end of a sentence.

        Raises:
            NumericalError: if more than `limit` steps of the run have been rejected.
        """
        with torch.no_grad():
            for copy, buffer in zip(self._copies, self._buffers):
                buffer.copy_(copy)
        self.count += 1
        process = f"_process{rank}" if rank else ""
        path = self.folder / f"nonfinite_ep{epoch:04d}_step{step:06d}{process}.pt"
        kept = self._save(path, batch, values, epoch, step)
        if self.count > self.limit:
            bad = ", ".join(f"{name}={value}" for name, value in values.items() if value - value != 0)
            raise NumericalError(
                f"Loss or gradient not finite in {self.count} steps, {self.limit} are allowed "
                f"(epoch {epoch}, step {step}: {bad}). "
                f"Batches and network states: {self.folder}/nonfinite_*.pt; of the last, {kept}. "
                "Lower the learning rates, clip the gradient (--clip) or train in fp32."
            )
        return kept

    def _save(
        self, path: Path, batch: Mapping[str, Any], values: Mapping[str, float], epoch: int, step: int
    ) -> str:
        content = {
            "batch": {k: v.detach().cpu() if isinstance(v, Tensor) else v for k, v in batch.items()},
            "net": {k: v.detach().cpu() for k, v in self.net.state_dict().items()},
            "values": dict(values),
            "epoch": epoch,
            "step": step,
        }
        try:
            write_checkpoint(path, content)
        except InputError as error:  # a full disk: the run can do without
            return f"nothing is kept: {error}"
        return f"see {path}"
