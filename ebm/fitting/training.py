"""`ebm.fit`: a conditional density p(y|x) for tabular or feature input, in one call."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ebm.devices import usable_device
from ebm.exceptions import DomainError
from ebm.fitting.base import PointPredictor, build_on
from ebm.fitting.batches import whole_tables
from ebm.fitting.bounds import parse_bounds
from ebm.fitting.censored import any_censored, require_censorable
from ebm.fitting.checkpoints import checkpoint_path
from ebm.fitting.config import GRID_LOSS, FitConfig, TableOptions
from ebm.fitting.data import Scaling
from ebm.fitting.fitted import FittedEBM
from ebm.fitting.groups import without_validation
from ebm.fitting.honesty import calibrate_on, warn_overconfident
from ebm.fitting.inputs import encode_inputs
from ebm.fitting.interruption import saved_at_interrupt, told_at_interrupt
from ebm.fitting.journal import Journal
from ebm.fitting.log import open_log
from ebm.fitting.members import MemberMixture
from ebm.fitting.recipes import only_of_losses, options_of
from ebm.fitting.rows import Rows, prepare_rows
from ebm.fitting.stages import Training
from ebm.fitting.tables import names_of, target_count
from ebm.fitting.warm import first_network, require_warm, taken_over, warm_rows
from ebm.numbers import require_truth
from ebm.threads import using_threads

__all__ = ["fit"]

# Layers up to this width are trained by one thread: what a second one takes over is less than waiting for it
# costs, and beside another process it is many times more.
ONE_THREAD_WIDTH = 128


def fit(
    x: Any,
    y: Any = None,
    *,
    loss: str | None = None,
    feature_net: nn.Module | None = None,
    validation_data: Any = None,
    sample_weight: Any = None,
    groups: Any = None,
    base: PointPredictor | None = None,
    support: Any = None,
    device: str | torch.device = "cpu",
    progress: bool = True,
    calibrate: bool = False,
    warm_start: FittedEBM | None = None,
    checkpoint: str | Path | None = None,
    log: Any = None,
    **options: Any,
) -> FittedEBM:
    """Fit a conditional density p(y|x) = exp f(x, y) / Z(x).

    Inputs and targets are standardised inside, rows are held out for early stopping by their true negative
    log-likelihood (on a grid for one target, by importance sampling for several), and the best weights are
    kept. The sets of 90 % of several targets are compared with the rows held out. The same arguments and
    machine give the same result.

    What comes back answers questions:

        fitted = ebm.fit(x, y, epochs=50)
        fitted.predict(x_new)
        fitted.predict_interval(x_new, level=0.9)

    Args:
        x: inputs ``(N, F)``, an array, tensor, data frame, list or sparse matrix; constant columns are
            harmless. Texts, categories and dates become numbers, see `ebm.fitting.config.TableOptions`.
            With a `feature_net`, rows may have any shape.
            Without `y`: a DataLoader or another iterable of batches ``(x, y)``, all of which are held in
            memory, up to 1 GiB.
        y: targets ``(N,)`` or ``(N, D)``; N >= 4. Of censored ones an `ebm.Censored`, of their bounds.
        loss: any of the eight, see `ebm.build_loss`, of an energy trained from nothing. None is "nce+", which
            allows for noise in the labels, for one target; several are a mixture that an energy corrects.
        feature_net: a network of your own from inputs ``(B, ...)`` to features ``(B, n)`` in place of the
            hidden layers. A copy is trained. Flat rows reach it standardised, others as they are, float32.
        validation_data: ``(x, y)`` or batches of such to hold out, in place of a random share of the rows.
        sample_weight: non-negative weight per row ``(N,)``; a row of weight 0 is left out.
        groups: a text or whole number per row ``(N,)``, as in scikit-learn's GroupKFold: rows that belong
            together, such as those of one patient, are trained on or held out together, in the folds of a
            `base` too, and `calibrate` then guarantees coverage for a row of a new group.
        base: a predictor with ``fit`` and ``predict``, such as a forest of scikit-learn. The density is then
            that of its errors, on rows that it did not see (cross-validation in five folds).
        support: where targets can lie; the density is 0 elsewhere. A pair (low, high) with None where there
            is no border, "positive" for (0, None); "integer", "count" (0, 1, 2 ...) or a range for whole
            numbers, whose `log_prob` is the log of a probability. "degrees", "radians" (as "circular") or
            ("circular", period) for a single target on a circle, ("circular", low, high) to say where answers
            lie. A list has one for each target, None for any number.
        device: where to train and predict, for example "cuda".
        progress: show a bar, where tqdm is installed and the output is a terminal.
        calibrate: widen intervals and sets until they hold the rows held out, as `FittedEBM.calibrate` does.
            Early stopping has looked at them, so that the coverage is right but for little, not guaranteed.
        warm_start: go on from the weights of this density, with its scaling, encoding and support; `model`,
            `hidden` and `members` are its own, and so are `loss` and its numbers where they are not given.
            The budget is that of this call. What it returns is a new density; this one stays as it is.
        checkpoint: a file to keep the state of a long fit in, written every half minute and at the end. The
            same call goes on where it was; its result is equal to the bit, but for the time taken, to that
            of an undisturbed one on the same machine. The file of another call is refused. It stays: once
            the fit is over, the same call returns at once what it found, until the file is deleted.
        log: where the numbers of every epoch go: "csv=FILE", "tensorboard=DIR", "wandb" or "trackio" (or
            "wandb=PROJECT"), an object as `ebm.sinks.Sink`, or a list of such. What fails there is a warning.
        **options: fields of `ebm.fitting.config.FitConfig` (``model``, ``hidden``, ``epochs``,
            ``batch_size``, ``learning_rate``, ``weight_decay``, ``validation``, ``patience``, ``members``,
            ``seed``) and of `ebm.fitting.config.TableOptions` (``encode``, ``missing``, ``unseen``,
            ``max_levels``), and numbers of the loss (`ebm.fitting.recipes.RECIPES`), lengths in standard
            deviations: ``sigmas``, ``num_samples``, ``beta``, ``label_sigma``, ``steps``, ``step_size``,
            ``sigma``.

    Raises:
        ShapeError: if shapes do not fit.
        DomainError: if a value is missing (of inputs: unless ``missing="impute"``), infinite or outside its
            domain, there are too few rows, a target column is constant or leaves its support, or there are a
            support and a base.
        InputError: if something cannot be made numbers of, tables label the same rows in another order, or
            the device cannot be used.
        UnknownNameError: (a ValueError) for an unknown loss or option.
        NumericalError: if training fails from the start.
        FitInterrupted: (a KeyboardInterrupt) after Ctrl-C; its ``fitted`` is the density so far.

    Warns:
        CoverageWarning: if the sets of several targets hold clearly fewer held-out rows than they should, or
            a calibration stands on too few groups for 90 %.
    """
    config, tables, numbers = _configured(loss, options, y, validation_data, feature_net, base, warm_start)
    place = usable_device(device)
    path = None if checkpoint is None else checkpoint_path(checkpoint)
    x, y, held_out = whole_tables(x, y, sample_weight, validation_data)
    config = _decided(config, loss, numbers, y, held_out, calibrate, base)
    chosen, journal = options_of(config, numbers), Journal(path, open_log(log, config))
    if warm_start is not None:
        train, held, scaling = warm_rows(warm_start, x, y, sample_weight, held_out, support, config, groups)
    else:
        asked = (base, support, groups)
        train, held, scaling, base = _prepared(x, y, sample_weight, held_out, asked, config, tables)
    with _undisturbed(config, place, feature_net), closing(journal.log):
        job = Training.of(train, held, scaling, config, chosen, progress, journal, place)
        with saved_at_interrupt(journal):
            net, history, interrupted = job.run(feature_net, first_network(warm_start, place))
        model = net if config.members == 1 else MemberMixture(net, config.members, scaling)
        own_net = feature_net is not None or (warm_start is not None and warm_start.own_features)
        fitted = FittedEBM(model, scaling, config, chosen, history, own_features=own_net, base=base)
        with told_at_interrupt(fitted, journal, interrupted):
            (calibrate_on if calibrate else warn_overconfident)(fitted, held)
    return fitted


def _configured(
    loss: str | None,
    options: dict[str, Any],
    y: Any,
    validation_data: Any,
    feature_net: nn.Module | None,
    base: PointPredictor | None,
    warm_start: FittedEBM | None,
) -> tuple[FitConfig, TableOptions, dict[str, Any]]:
    """Options of the fit and of its tables, and what is left: numbers of the loss."""
    given, encoding = _taken(options, FitConfig) | {"loss": loss}, _taken(options, TableOptions)
    if warm_start is not None:
        require_warm(warm_start, feature_net, base, encoding, any_censored(y, validation_data))
        given, options = taken_over(warm_start, given, options)
    config = FitConfig(**given | {"loss": "nce+" if given["loss"] is None else given["loss"]})
    return config, TableOptions(**encoding), options


def _decided(
    config: FitConfig,
    loss: str | None,
    options: dict[str, Any],
    y: Any,
    held_out: Any,
    calibrate: bool,
    base: PointPredictor | None,
) -> FitConfig:
    """What is fitted: `config` without "auto", and by the likelihood on a grid where targets are censored."""
    calibrate = require_truth("calibrate", calibrate)
    chosen = loss is not None or only_of_losses(options)
    if not any_censored(y, held_out):
        return config.decided(target_count(y), loss_chosen=chosen)
    config = config.decided(1, loss_chosen=chosen)
    require_censorable(None if loss is None else config.loss, config.model, calibrate, base)
    return replace(config, loss=GRID_LOSS) if config.model == "energy" else config


def _prepared(
    x: Any,
    y: Any,
    sample_weight: Any,
    validation_data: tuple[Any, Any] | None,
    asked: tuple[PointPredictor | None, Any, Any],
    config: FitConfig,
    tables: TableOptions,
) -> tuple[Rows, Rows, Scaling, PointPredictor | None]:
    """Rows to train on, rows held out, their scaling, and the base fitted to all rows.

    Args and errors as `fit`; `asked` are the base, the support and the groups.
    """
    base, support, groups = asked
    without_validation(groups, validation_data)
    chosen = {"share": config.validation, "seed": config.seed, "members": config.members, "groups": groups}
    rows, given, table = encode_inputs(x, y, sample_weight, validation_data, tables)
    names: dict[str, Any] = {} if table is None else {"x_names": names_of(x), "x_table": table}
    if base is None:
        own = prepare_rows(rows, y, sample_weight, given, support=support, **chosen)
        return own[0], own[1], replace(own[2], **names), None
    if parse_bounds(support, len(support) if isinstance(support, list) else 1) is not None:
        raise DomainError(
            "a base and a support do not go together: the density is that of the base's errors, and where "
            "these can lie differs from row to row. Leave out one of them, or fit log y on a base."
        )
    built = build_on(base, rows, y, sample_weight, given, config.seed, groups)
    own = prepare_rows(built.x, built.y, sample_weight, built.validation, **chosen)
    scaling = replace(own[2], x_shape=(len(built.x[0]) - own[2].target_dim,)).named(rows, y)
    return own[0], own[1], replace(scaling, **names), built.base


def _taken(options: dict[str, Any], kind: type[FitConfig | TableOptions]) -> dict[str, Any]:
    """The options that are fields of a dataclass, taken out of all."""
    return {name: options.pop(name) for name in [*options] if name in kind.__dataclass_fields__}


@contextmanager
def _undisturbed(config: FitConfig, device: torch.device, feature_net: nn.Module | None) -> Iterator[None]:
    """Global randomness (initial weights, dropout) of the seed inside, as it was outside; few threads."""
    small = feature_net is None and device.type == "cpu" and max(config.hidden) <= ONE_THREAD_WIDTH
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), using_threads(1) if small else nullcontext():
        torch.manual_seed(config.seed)
        yield
