"""Samples of frames from generated videos."""

import random

import torch


class TrackingSampler(torch.utils.data.Dataset):
    def __init__(
        self, datasets, p_datasets, samples_per_epoch, max_gap, num_test_frames, num_train_frames=1,
        processing=lambda data: data, frame_sample_mode="causal",
    ):  # fmt: skip
        assert len(datasets) == len(p_datasets)
        self.datasets, self.p_datasets, self.samples_per_epoch = datasets, p_datasets, samples_per_epoch
        self.max_gap, self.processing = max_gap, processing
        self.num_test_frames, self.num_train_frames = num_test_frames, num_train_frames

    def __len__(self):
        return self.samples_per_epoch

    def __getitem__(self, index):
        dataset = random.choices(self.datasets, self.p_datasets)[0]
        data = {"dataset": dataset.get_name(), "test_class": None}
        for part, count in (("train", self.num_train_frames), ("test", self.num_test_frames)):
            ids = random.choices(range(20), k=count)
            data[part + "_images"], data[part + "_anno"] = dataset.get_frames(0, ids)
        return self.processing(data)


class DiMPSampler(TrackingSampler):
    pass


class ATOMSampler(TrackingSampler):
    def __init__(
        self, datasets, p_datasets, samples_per_epoch, max_gap, num_test_frames=1, num_train_frames=1,
        processing=lambda data: data, frame_sample_mode="interval",
    ):  # fmt: skip
        super().__init__(
            datasets, p_datasets, samples_per_epoch, max_gap, num_test_frames, num_train_frames, processing,
            frame_sample_mode,
        )  # fmt: skip
