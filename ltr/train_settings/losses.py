"""From a recipe's losses to the actor that computes them, if they fit the network."""

from typing import TypeAlias

from torch import nn

from ebm.exceptions import DomainError
from ltr.actors.bbreg import AtomActor, AtomBBKLActor
from ltr.actors.box_energy import BoxEnergyLoss
from ltr.actors.box_terms import EnergyTerm, OverlapTerm
from ltr.actors.target_classification import ClassifierTerm, DensityTerm, HingeTerm
from ltr.actors.tracking import DiMPActor, DiMPSimpleActor, KLDiMPActor
from ltr.models.loss import LBHinge
from ltr.models.meta.steepestdescent import GNSteepestDescent
from ltr.models.target_classifier.optimizer import PrDiMPSteepestDescentNewton
from ltr.train_settings.recipe import TrainRecipe
from ltr.train_settings.terms import BoxRecipe, ClassifierRecipe, DensityRecipe, HingeRecipe, OverlapRecipe

__all__ = ["build_actor", "check_fit"]

RecipeActor: TypeAlias = AtomActor | AtomBBKLActor | DiMPActor | KLDiMPActor | DiMPSimpleActor


def _optimizer(net: nn.Module) -> nn.Module | None:
    """What learns the target while tracking; None for networks that score boxes alone."""
    classifier = getattr(net, "classifier", None)
    return None if classifier is None else classifier.filter_optimizer


def _is_newton(optimizer: nn.Module | None) -> bool:
    return isinstance(optimizer, PrDiMPSteepestDescentNewton)


def _is_simple(optimizer: nn.Module | None) -> bool:
    """Whether it is given its labels, and so needs those of the train frames; KL regression is none such."""
    return isinstance(optimizer, GNSteepestDescent)


def check_fit(recipe: TrainRecipe, net: nn.Module) -> None:
    """Refuse losses that the network's outputs are not made for.

    Raises:
        DomainError: for a classifier's loss without a classifier, a classifier without a loss, or one whose
            filter is fitted to densities while the loss is hinged, or the other way round; for label maps of
            another size than the scores.
    """
    name, optimizer = recipe.network.constructor, _optimizer(net)
    wanted: type[HingeRecipe] | type[DensityRecipe] | None = None
    if optimizer is not None:
        wanted = DensityRecipe if _is_newton(optimizer) else HingeRecipe
    given = None if recipe.classifier is None else type(recipe.classifier)
    if given is wanted:
        if isinstance(recipe.box, OverlapRecipe) and _is_simple(optimizer):
            raise DomainError(
                f"{name} is trained with an energy of boxes, not with overlaps; set another box."
            )
        _check_maps(recipe, net)
        return
    needs = "no classifier (None)" if wanted is None else wanted.__name__
    has = "None" if given is None else given.__name__
    raise DomainError(
        f"{name} needs the classifier recipe {needs}, but {recipe.module}/{recipe.name} has {has}; take a "
        "setting whose network is of this family, or write one that replaces network and classifier together."
    )


def _check_maps(recipe: TrainRecipe, net: nn.Module) -> None:
    """Refuse label maps of another size than the classifier's scores.

    Raises:
        DomainError: if the recipe's filter or stride is not the network's.
    """
    classifier = getattr(net, "classifier", None)
    if classifier is None:
        return
    stride, geometry = classifier.filter_initializer.filter_pool.feature_stride, recipe.geometry
    if geometry.filter_size != classifier.filter_size:
        raise DomainError(
            f"geometry.filter_size is {geometry.filter_size}, but the network's filter has "
            f"{classifier.filter_size} cells a side; set network.kwargs.filter_size as well."
        )
    if geometry.feature_stride != stride:
        raise DomainError(
            f"geometry.feature_stride is {geometry.feature_stride}, but the network's is {stride}."
        )


def build_actor(recipe: TrainRecipe, net: nn.Module) -> RecipeActor:
    """The recipe's losses around a network that they fit (`check_fit`)."""
    actor = _actor(recipe, net)
    actor.still_norms = recipe.network.still_norms
    return actor


def _actor(recipe: TrainRecipe, net: nn.Module) -> RecipeActor:
    precision, channels_last = recipe.precision, recipe.channels_last
    if recipe.classifier is None:
        if isinstance(recipe.box, OverlapRecipe):
            overlap = OverlapTerm(weight=recipe.box.weight)
            return AtomActor(net, box=overlap, precision=precision, channels_last=channels_last)
        return AtomBBKLActor(net, box=_energy(recipe.box), precision=precision, channels_last=channels_last)
    classifier = _classifier(recipe.classifier)
    if isinstance(recipe.box, OverlapRecipe):
        return DiMPActor(
            net,
            box=OverlapTerm(weight=recipe.box.weight),
            classifier=classifier,
            precision=precision,
            channels_last=channels_last,
        )
    kind = DiMPSimpleActor if _is_simple(_optimizer(net)) else KLDiMPActor
    return kind(
        net,
        box=_energy(recipe.box),
        classifier=classifier,
        precision=precision,
        channels_last=channels_last,
    )


def _energy(box: BoxRecipe) -> EnergyTerm:
    pair = box.label_sigma
    sigma = () if pair is None else (pair[0], pair[0], pair[1], pair[1])
    return EnergyTerm(loss=BoxEnergyLoss(box.method, sigma), weight=box.weight)


def _classifier(recipe: ClassifierRecipe) -> ClassifierTerm:
    if isinstance(recipe, DensityRecipe):
        return DensityTerm(weights=recipe.weights)
    return HingeTerm(hinge=LBHinge(threshold=recipe.threshold), weights=recipe.weights)
