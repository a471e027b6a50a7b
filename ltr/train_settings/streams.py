"""From a recipe and opened data sets to the streams of batches that the loop reads."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

import torch

from ltr.data.decoders import OPENCV, Decoder
from ltr.data.label_noise import NoisyLabels
from ltr.data.loader import BatchLoader, make_loader
from ltr.data.overlaps import OverlapConfig, PerturbationConfig
from ltr.data.processing import DiMPProcessing, LabelKind, ProcessingConfig
from ltr.data.proposals import ProposalConfig, ProposalMethod
from ltr.data.replaced import STRICT, ReplacedDraws, Tolerance
from ltr.data.sampler import DiMPSampler
from ltr.data.video import VideoDataset
from ltr.train_settings.data_source import OpenedData
from ltr.train_settings.recipe import BoxRecipe, DensityRecipe, OverlapRecipe, TrainRecipe
from ltr.train_settings.resources import CpuPlan
from ltr.trainers.config import Batch, Streams
from ltr.trainers.division import divide
from ltr.trainers.world import World

__all__ = ["build_sampler", "build_streams", "processing_config"]

VALIDATION_SEED = 1_000_003  # of no training run, so that every run validates on the same samples

# What each loss needs its rows to be; ML-IS takes the label from the first one, as NCE does.
ROWS: dict[str, ProposalMethod] = {
    "nce": "nce",
    "nce_plus": "nce_plus",
    "cnce": "cnce",
    "kld_is": "gmm",
    "ml_is": "nce",
}


def processing_config(recipe: TrainRecipe, training: bool) -> ProcessingConfig:
    """The recipe's crops, augmentation, labels and proposals."""
    geometry, jitter, augmentation, box = recipe.geometry, recipe.jitter, recipe.augmentation, recipe.box
    return ProcessingConfig(
        search_area_factor=geometry.search_area_scale,
        output_sz=geometry.crop_size,
        feature_stride=geometry.feature_stride,
        filter_size=geometry.filter_size,
        label_sigma=geometry.label_sigma,
        labels=_label_kind(recipe),
        crop_type=geometry.crop_type,
        max_scale_change=geometry.max_scale_change,
        center_jitter_train=jitter.train_centre,
        center_jitter_test=jitter.test_centre,
        scale_jitter_train=jitter.train_scale,
        scale_jitter_test=jitter.test_scale,
        flip_sample=augmentation.flip_sample,
        flip_frame=augmentation.flip_frame,
        grayscale=augmentation.grayscale,
        brightness_jitter=augmentation.brightness,
        proposals=_proposals(box),
        training=training,
        decode=geometry.decode,
    )


def _label_kind(recipe: TrainRecipe) -> LabelKind:
    """The label maps that the recipe's classifier compares with."""
    if recipe.classifier is None:
        return "none"
    return "density" if isinstance(recipe.classifier, DensityRecipe) else "gaussian"


def _proposals(box: BoxRecipe | OverlapRecipe) -> ProposalConfig | OverlapConfig:
    if isinstance(box, OverlapRecipe):
        return OverlapConfig(source=_overlap_source(box))
    config = ProposalConfig(method=ROWS[box.method], num_samples=box.num_samples, sigmas=box.sigmas)
    if box.label_sigma is not None:
        config = replace(config, label_sigma=box.label_sigma)
    if box.beta is not None:
        config = replace(config, beta=box.beta, beta_mode=box.beta_mode)
    return config


def _overlap_source(box: OverlapRecipe) -> PerturbationConfig | ProposalConfig:
    if box.sigmas is not None:
        return ProposalConfig(method="gmm", num_samples=box.num_samples, sigmas=box.sigmas)
    assert box.spread is not None
    assert box.min_iou is not None
    return PerturbationConfig(num_samples=box.num_samples, spread=box.spread, min_iou=box.min_iou)


def build_sampler(
    recipe: TrainRecipe,
    datasets: Sequence[VideoDataset],
    weights: Sequence[float] | None,
    training: bool,
    decoder: Decoder = OPENCV,
    tolerance: Tolerance = STRICT,
) -> DiMPSampler:
    """Samples by index.

    Args:
        recipe: frames, gap, processing and seed.
        datasets: what to draw from.
        weights: how often, None in proportion to their lengths.
        training: False for the validation set, whose samples are the same in every run, with exact labels.
        decoder: decodes the frames.
        tolerance: what may be wrong with the data.
    """
    if training and recipe.label_noise:
        datasets = [NoisyLabels(dataset, recipe.label_noise, recipe.seed) for dataset in datasets]
    return DiMPSampler(
        datasets,
        weights,
        recipe.samples_per_epoch if training else recipe.validation.samples,
        recipe.sampling.max_gap,
        recipe.sampling.train_frames,
        recipe.sampling.test_frames,
        DiMPProcessing(processing_config(recipe, training)),
        recipe.sampling.order,
        seed=recipe.seed if training else VALIDATION_SEED,
        decoder=decoder,
        skip_broken=tolerance.skip_broken,
        unreadable=tolerance.unreadable,
    )


def build_streams(
    recipe: TrainRecipe,
    data: OpenedData,
    plan: CpuPlan,
    device: torch.device,
    world: World,
    decoder: Decoder = OPENCV,
    tolerance: Tolerance = STRICT,
) -> Streams:
    """Training and validation batches, of which each process gets its groups, one after another.

    Raises:
        InputError: if a data set has no usable sequence, or the processes cannot share a batch.
    """
    samplers = partial(build_sampler, recipe, decoder=decoder, tolerance=tolerance)
    sampler = samplers(data.train, data.weights, training=True)
    draws = ReplacedDraws(tolerance.unreadable)
    division = divide(recipe.batch_size, world, recipe.groups)

    def loader(dataset: DiMPSampler, start: int, count: int) -> BatchLoader:
        return make_loader(
            dataset,
            batch_size=recipe.batch_size,
            start_index=start,
            num_samples=count,
            workers=plan.workers,
            device=device,
            share=(world.rank, world.size),
            groups=division.own,
        )

    # One loader for the rest of the run: the next epoch's batches are fetched while an epoch ends.
    return Streams(
        train=lambda start, count: draws.watch(loader(sampler, start, count)),
        validation=_validation_stream(recipe, data, loader, samplers, draws),
        replaced=draws.counts,
    )


def _validation_stream(
    recipe: TrainRecipe,
    data: OpenedData,
    loader: Callable[[DiMPSampler, int, int], BatchLoader],
    samplers: Callable[..., DiMPSampler],
    draws: ReplacedDraws,
) -> Callable[[], Iterable[Batch]] | None:
    if data.validation is None or recipe.validation.samples < recipe.batch_size:
        return None
    held = [data.validation, *data.more]
    sampler = samplers(held, [1.0] * len(held), training=False)
    kept: list[BatchLoader] = []

    def stream() -> Iterable[Batch]:
        if not kept:
            kept.append(loader(sampler, 0, recipe.validation.samples))
        return draws.watch(kept[0])

    return stream
