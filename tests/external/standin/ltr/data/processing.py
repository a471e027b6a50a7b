"""Crops, labels and boxes, for sequence mode."""

import cv2
import torch

import ltr.data.processing_utils as prutils


class BaseProcessing:
    def __init__(self, transform, train_transform=None, test_transform=None, joint_transform=None):
        self.transform = {"train": train_transform or transform, "test": test_transform or transform}
        self.joint_transform = joint_transform


class KLBBregProcessing(BaseProcessing):
    def __init__(
        self, search_area_factor, output_sz, center_jitter_factor, scale_jitter_factor, proposal_params,
        mode="pair", *args, **kwargs,
    ):  # fmt: skip
        super().__init__(*args, **kwargs)
        self.search_area_factor, self.output_sz, self.mode = search_area_factor, output_sz, mode
        self.center_jitter_factor, self.scale_jitter_factor = center_jitter_factor, scale_jitter_factor
        self.proposal_params = proposal_params

    def _crop(self, image, box, part):
        size = box[2:] * (torch.randn(2) * self.scale_jitter_factor[part]).exp()
        reach = size.prod().sqrt() * self.center_jitter_factor[part]
        centre = box[:2] + box[2:] / 2 + reach * (torch.rand(2) - 0.5)
        side = size.prod().sqrt() * self.search_area_factor
        scale, corner = self.output_sz / side, centre - side / 2
        matrix = torch.tensor([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]]).numpy()
        crop = cv2.warpAffine(image, matrix, (self.output_sz, self.output_sz))
        return crop, torch.cat(((box[:2] - corner) * scale, box[2:] * scale))

    def __call__(self, data):
        for part, new in (("train", True), ("test", False)):
            images, boxes = self.joint_transform(
                image=data[part + "_images"], bbox=data[part + "_anno"], new_roll=new
            )
            crops = [self._crop(i, b, part) for i, b in zip(images, boxes)]
            images, boxes = self.transform[part](
                image=[c[0] for c in crops], bbox=[c[1] for c in crops], joint=False
            )
            data[part + "_images"], data[part + "_anno"] = torch.stack(images), torch.stack(boxes)
        p = self.proposal_params
        drawn = [
            prutils.sample_box_gmm(box, p["proposal_sigma"], p["gt_sigma"], p["boxes_per_frame"])
            for box in data["test_anno"]
        ]
        data["test_proposals"], data["proposal_density"], data["gt_density"] = map(torch.stack, zip(*drawn))
        return data


class KLDiMPProcessing(KLBBregProcessing):
    def __init__(
        self, search_area_factor, output_sz, center_jitter_factor, scale_jitter_factor, crop_type="replicate",
        max_scale_change=None, mode="pair", proposal_params=None, label_function_params=None,
        label_density_params=None, *args, **kwargs,
    ):  # fmt: skip
        super().__init__(
            search_area_factor, output_sz, center_jitter_factor, scale_jitter_factor, proposal_params, mode,
            *args, **kwargs,
        )  # fmt: skip
        self.label = label_function_params

    def __call__(self, data):
        data = super().__call__(data)
        cells = self.label["feature_sz"] + 1 - self.label["kernel_sz"] % 2
        grid = torch.arange(cells, dtype=torch.float32)
        sigma = self.label["sigma_factor"] * self.label["feature_sz"]
        for part in ("train", "test"):
            box = data[part + "_anno"]
            x, y = ((box[:, :2] + box[:, 2:] / 2) * self.label["feature_sz"] / self.output_sz).unbind(-1)
            d2 = (grid - x[:, None]).square()[:, None] + (grid - y[:, None]).square()[:, :, None]
            data[part + "_label"] = (-d2 / (2 * sigma**2)).exp()
        return data
