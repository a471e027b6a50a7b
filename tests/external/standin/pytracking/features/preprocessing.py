"""Patches as the specification describes the original: corners by true division, cut off when padding."""

import torch
import torch.nn.functional as F


def sample_patch(im, pos, sample_sz, output_sz=None, mode="replicate", max_scale_change=None, is_mask=False):
    if mode != "replicate":
        raise ValueError(f"the stand-in pads by replicating alone, not {mode!r}")
    size = torch.max(sample_sz.round(), torch.tensor(2.0)).long()
    top_left = pos.long() - (size - 1) / 2
    bottom_right = pos.long() + size / 2 + 1
    pad = [-top_left[1], bottom_right[1] - im.shape[3], -top_left[0], bottom_right[0] - im.shape[2]]
    patch = F.pad(im, [int(p) for p in pad], mode="constant" if is_mask else mode)
    coord = torch.cat((top_left, bottom_right)).view(1, 4)
    if output_sz is None or list(patch.shape[2:]) == output_sz.long().tolist():
        return patch, coord
    return F.interpolate(patch, output_sz.long().tolist(), mode="bilinear", align_corners=False), coord


def sample_patch_multiscale(im, pos, scales, image_sz, mode="replicate", max_scale_change=None):
    patches, coords = zip(
        *(sample_patch(im, pos, s * image_sz, image_sz, mode, max_scale_change) for s in scales)
    )
    return torch.cat(patches), torch.cat(coords)
