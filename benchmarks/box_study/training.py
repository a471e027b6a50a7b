"""Training of the start and of the runs, with the parts that `ltr/run_training.py` is made of."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from box_study.plan import Budget, Run, branch_recipe, start_recipe, whole_recipe
from ltr.admin.loading import load_network, write_checkpoint
from ltr.data.decoders import choose_decoder
from ltr.dataset.generated import ensure_generated
from ltr.train_settings.build import build_actor, build_config, build_network, build_optimiser
from ltr.train_settings.data_source import OpenedData, choose_data, open_data
from ltr.train_settings.recipe import TrainRecipe
from ltr.train_settings.resources import CpuPlan
from ltr.train_settings.streams import build_streams
from ltr.trainers.checkpoints import CheckpointFolder
from ltr.trainers.progress import Progress
from ltr.trainers.random_state import seed_everything
from ltr.trainers.trainer import Trainer
from ltr.trainers.world import World

__all__ = ["Workplace", "train_run", "train_start"]

CPU = torch.device("cpu")
PLAN = CpuPlan(workers=0, threads=1)


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """Where a study lives and how much it does.

    Attributes:
        folder: generated data, starts, tracks.
        budget: see `Budget`.
    """

    folder: Path
    budget: Budget

    def start_file(self, seed: int) -> Path:
        """Checkpoint of the start that the runs of a seed share."""
        return self.folder / "starts" / f"{self.budget.start_samples}_seed{seed}.pth.tar"

    def training_data(self) -> OpenedData:
        """The generated training set, without a part kept for validation."""
        choice = choose_data(start_recipe(0, self.budget), ["generated"], self.budget.scale)
        roots = ensure_generated(self.folder, "train", scale=self.budget.scale, workers=1, progress=False)
        return open_data(choice, lambda: roots, validate=False)


def _train(recipe: TrainRecipe, net: nn.Module, backbone: str, place: Workplace) -> dict[str, float]:
    """Train `net` in place; the mean statistics of its last part."""
    seed_everything(recipe.seed)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    path = place.folder / "training" / f"{recipe.name}_seed{recipe.seed}"
    decoder = choose_decoder("auto")
    trainer = Trainer(
        actor=build_actor(recipe, net),
        optimizer=build_optimiser(recipe, net, backbone),
        streams=build_streams(recipe, place.training_data(), PLAN, CPU, World(), decoder),
        folder=CheckpointFolder(path, type(net).__name__, keep_last=1),
        config=build_config(recipe, parts=1),
        device=CPU,
        progress=Progress(silent=True),
    )
    code = trainer.run()
    if code:
        raise SystemExit(code)
    return trainer.history.rows("train")[-1]


def train_start(seed: int, place: Workplace) -> Path:
    """Train the start of a seed, or take the one that is there.

    Returns: its checkpoint, a whole DiMP network whose box branch is as it was initialised.
    """
    path = place.start_file(seed)
    if not path.is_file():
        recipe = start_recipe(seed, place.budget)
        built = build_network(recipe)
        before = {k: v.clone() for k, v in built.net.bb_regressor.state_dict().items()}
        _train(recipe, built.net, built.backbone, place)
        # Its batch norms have seen boxes of the start's own; every run is to begin from the first day.
        built.net.bb_regressor.load_state_dict(before)
        _write(built.net, path)
    return path


def _write(net: Any, path: Path) -> None:
    fields = {"net_type": type(net).__name__, "net": net.state_dict(), "net_info": net.info, "epoch": 1}
    write_checkpoint(path, fields | {"constructor": net.constructor})


def train_run(run: Run, place: Workplace) -> tuple[Any, dict[str, float]]:
    """Train a run from its seed's start.

    Returns: the DiMP network in evaluation mode, and the mean statistics of its training.
    """
    net: Any
    net, _ = load_network(train_start(run.seed, place))
    if run.trained == "whole":
        recipe = whole_recipe(run, place.budget)
        stats = _train(recipe, net, "scratch", place)
        return net.eval(), stats
    recipe = branch_recipe(run, place.budget)
    atom: Any = build_network(recipe).net
    atom.feature_extractor.load_state_dict(net.feature_extractor.state_dict())
    atom.bb_regressor.load_state_dict(net.bb_regressor.state_dict())
    atom.feature_extractor.freeze("all")
    # "imagenet" is what the settings call a backbone that has its weights: it gets no learning rate.
    stats = _train(recipe, atom, "imagenet", place)
    net.bb_regressor.load_state_dict(atom.bb_regressor.state_dict())
    return net.eval(), stats
