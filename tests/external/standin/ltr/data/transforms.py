"""Transforms that roll once per call."""

import random

import numpy as np
import torch


class Transform:
    def __init__(self, *transforms):
        self.transforms = transforms

    def __call__(self, image, bbox, joint=True, new_roll=True):
        for transform in self.transforms:
            if new_roll:
                transform.roll()
            done = [transform.apply(i, b) for i, b in zip(image, bbox)]
            image, bbox = [d[0] for d in done], [d[1] for d in done]
        return image, bbox


class TransformBase:
    def roll(self):
        pass


class ToGrayscale(TransformBase):
    def __init__(self, probability=0.5):
        self.probability = probability

    def roll(self):
        self.on = random.random() < self.probability

    def apply(self, image, box):
        return (np.repeat(image.mean(2, keepdims=True), 3, 2).astype("uint8") if self.on else image), box


class RandomHorizontalFlip(ToGrayscale):
    def apply(self, image, box):
        if not self.on:
            return image, box
        box = box.clone()
        if isinstance(image, torch.Tensor):
            box[0] = image.shape[-1] - 1 - (box[0] + box[2])
            return image.flip(-1), box
        box[0] = image.shape[1] - 1 - (box[0] + box[2])
        return np.ascontiguousarray(image[:, ::-1]), box


class ToTensorAndJitter(TransformBase):
    def __init__(self, brightness_jitter=0.0, normalize=True):
        self.brightness_jitter, self.factor = brightness_jitter, 1.0

    def roll(self):
        self.factor = random.uniform(1 - self.brightness_jitter, 1 + self.brightness_jitter)

    def apply(self, image, box):
        return (torch.from_numpy(image).permute(2, 0, 1).float() * self.factor / 255).clamp(0, 1), box


class ToTensor(ToTensorAndJitter):
    def __init__(self):
        super().__init__(0.0)


class Normalize(TransformBase):
    def __init__(self, mean, std, inplace=False):
        self.mean, self.std = torch.tensor(mean)[:, None, None], torch.tensor(std)[:, None, None]

    def apply(self, image, box):
        return (image - self.mean) / self.std, box
