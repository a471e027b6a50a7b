"""Box proposals as the specification defines them."""

import math

import torch


def sample_box_gmm(mean_box, proposal_sigma, gt_sigma=None, num_samples=1, add_mean_box=False):
    std = torch.tensor(proposal_sigma, dtype=torch.float32)[:, [0, 0, 1, 1]]
    noise = torch.randn(num_samples, 4) * std[torch.randint(len(std), (num_samples,))]
    log = -0.5 * (noise[:, None] / std).square() - std.log() - 0.5 * math.log(2 * math.pi)
    density = log.sum(-1).exp().mean(-1)
    size = mean_box[2:] * noise[:, 2:].exp()
    centre = mean_box[:2] + mean_box[2:] / 2 + noise[:, :2] * mean_box[2:]
    return torch.cat((centre - size / 2, size), -1), density, torch.zeros_like(density)
