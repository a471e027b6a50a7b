"""The energy-based loss of the box branch: one object for NCE, NCE+, conditional NCE, KLD-IS and ML-IS."""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from ebm.exceptions import DomainError
from ebm.lookup import unknown_name
from ebm.losses.functional import cnce, kld_is, ml_is, nce

__all__ = ["BoxEnergyLoss", "BoxMethod"]

BoxMethod = Literal["nce", "nce_plus", "cnce", "kld_is", "ml_is"]


class BoxEnergyLoss:
    """Loss and statistics of the energies f(x, y) at boxes sampled around the label.

    Args:
        method: which loss; for all but ``"kld_is"`` column 0 is the (perturbed) label.
        label_sigma: standard deviations of the label density, relative box units, 4 values (``"kld_is"``).

    Raises:
        UnknownNameError: for a method that does not exist.
        DomainError: if KLD-IS has no four positive deviations.

    Source: Gustafsson et al., "How to Train Your Energy-Based Model for Regression", arXiv:2005.01698.
    """

    def __init__(self, method: BoxMethod, label_sigma: Sequence[float] = ()) -> None:
        if method not in get_args(BoxMethod):
            raise unknown_name("box loss", method, get_args(BoxMethod))
        if method == "kld_is" and (len(label_sigma) != 4 or min(label_sigma) <= 0):
            raise DomainError(f"kld_is needs four positive label deviations, got {tuple(label_sigma)}")
        self.method = method
        # The loss leaves out -H(p), so this entropy is its floor: it is negative for narrow labels.
        self.label_entropy = sum(0.5 * math.log(2 * math.pi * math.e * s * s) for s in label_sigma)

    def __call__(
        self, energy: Tensor, log_q: Tensor, log_p: Tensor, valid: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean loss over the valid rows, 0 if there is none.

        Args:
            energy: f at the candidates, ``[N, P]``, any float type; computed on in float32.
            log_q: log-density of the proposal there, nats, ``[N, P]``.
            log_p: nats, ``[N, P]``: log-density of the label there (``"kld_is"``), or of the way back from
                there to the label (``"cnce"``).
            valid: rows that count, ``[N]`` bool.

        Returns: the loss ``[]`` in nats, and detached statistics ``[]`` by name.
        """
        mask = valid[:, None]
        # Rows without a box are zeroed before the loss, so that what stands in them cannot reach a gradient.
        energy = torch.where(mask, energy.float(), 0.0)
        log_q = torch.where(mask, log_q.float(), 0.0)
        log_p = torch.where(mask, log_p.float(), 0.0)
        weight = valid.float() / valid.float().sum().clamp(min=1)
        if self.method == "kld_is":
            loss = (kld_is(energy, log_q, log_p, reduction="none") * weight).sum()
            return loss, self._kld_stats(loss, log_q, log_p, weight)
        if self.method == "ml_is":
            rows = ml_is(energy[:, 0], energy[:, 1:], log_q[:, 1:], reduction="none")
            return (rows * weight).sum(), {}
        if self.method == "cnce":
            rows = cnce(energy, (log_p - log_q)[:, 1:], reduction="none")
            return (rows * weight).sum(), {}
        loss = (nce(energy, log_q, reduction="none") * weight).sum()
        hit = ((energy - log_q).argmax(dim=1) == 0).float()
        return loss, {"BBReg/label_rank_acc": (hit * weight).sum().detach()}

    def _kld_stats(self, loss: Tensor, log_q: Tensor, log_p: Tensor, weight: Tensor) -> dict[str, Tensor]:
        ratio = (log_p - log_q).double()
        # Effective number of label samples, (sum w)^2 / sum w^2.
        size = (2 * ratio.logsumexp(dim=1) - (2 * ratio).logsumexp(dim=1)).exp().float()
        return {
            "BBReg/kl": loss.detach() - self.label_entropy * weight.sum(),
            "BBReg/effective_samples": (size * weight).sum(),
        }
