"""Sequences."""


class Sequence:
    def __init__(self, name, frames, dataset, ground_truth_rect):
        self.name, self.frames, self.dataset = name, frames, dataset
        self.ground_truth_rect, self.object_ids = ground_truth_rect, None
