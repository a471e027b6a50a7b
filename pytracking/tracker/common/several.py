"""One tracker for one target or for several: the calls that every tracker has, whatever finds its targets."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from time import perf_counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ebm.exceptions import DomainError, InputError
from pytracking.tracker.base import Flag, Tracked
from pytracking.tracker.common import info_dictionaries as dictionaries
from pytracking.tracker.common.inputs import check_box, check_image

if TYPE_CHECKING:
    from pytracking.features.preprocessing import Image
    from pytracking.tracker.common.glimpse import Glimpse

__all__ = ["SeveralTargets", "TargetId"]

TargetId = Hashable
Box = NDArray[np.float64]
Boxes = Mapping[TargetId, ArrayLike]

_NO_TARGET = "The tracker has no target yet; call initialize(image, box) before track(image)."


class SeveralTargets(ABC):
    """The calls of a tracker. A member tells how one target begins, and how any number of them goes on.

    Started with a box it follows one target by itself; started with ``{id: box}`` it follows each target by a
    `twin`, which shares the network, and all of them go through a frame together.

    Attributes:
        multiobj_mode: tells PyTracking's runners that one tracker takes all objects.
        notes: sentences a command should print.
        watched: keep what the frame tracked last has shown; to be set before `initialize`.
        glimpse: that, while it is watched, and there is anything to see: of one target without id; of several
            each of `targets` has its own.
    """

    multiobj_mode = "default"
    notes: tuple[str, ...] = ()
    watched: bool = False
    glimpse: "Glimpse | None" = None

    def __init__(self) -> None:
        self._several: dict[TargetId, Self] | None = None
        self._last_frame: Image | None = None
        self._in_dictionaries = False

    @abstractmethod
    def begin(self, frame: "Image", box: Box) -> None:
        """Start on a checked frame, ``[H, W, 3]``, at a checked box x, y, w, h ``[4]``, px."""

    @abstractmethod
    def advance(self, targets: Sequence[Self], frames: "Sequence[Image]") -> list[Tracked]:
        """The next checked frame of every target, at least one, in one go; frames may differ in size."""

    @abstractmethod
    def twin(self, seed: int | None = None) -> Self:
        """A tracker that answers as this one does, has no target yet, and shares the network.

        Args:
            seed: of everything that it draws; None for this one's.
        """

    @abstractmethod
    def move(self, box: Box) -> None:
        """Put the target where a checked box is, and keep what is known of how it looks."""

    @abstractmethod
    def release(self) -> None:
        """Let go of what the last frame's density needs; called when a target goes on no longer."""

    @property
    def targets(self) -> Mapping[TargetId, Self]:
        """The target of each id, as they were added; empty where there is one target without id."""
        return MappingProxyType(self._several or {})

    def initialize(self, image: ArrayLike, box: ArrayLike | Mapping[Any, Any]) -> Any:
        """Start anew on `image`, uint8 RGB ``[H, W, 3]`` or grey ``[H, W]``.

        Args:
            image: kept, not copied, until the next one, for `add` and `reset`.
            box: x, y, w, h, px: one target. ``{id: box}``: several targets; there may be none yet. A
                dictionary with ``init_bbox``: PyTracking's ``info``, of one object or, if ``init_bbox`` is
                a dictionary, of those in ``init_object_ids``.

        Returns:
            What `track` will return, here the boxes as given, score 1 and state ok; for ``info`` a dictionary
            with the seconds it took.

        Raises:
            InputError: if the image is no uint8 picture, or the dictionary has not what it needs.
            DomainError: if a box is not finite, has no area or lies outside the image: of which target.
        """
        start = perf_counter()
        spoken = dictionaries.is_info(box)
        wanted = dictionaries.boxes_to_start(box) if isinstance(box, Mapping) and spoken else box
        frame = check_image(image)
        if isinstance(wanted, Mapping):
            known = _checked(wanted, frame)
            self._forget(self._all_begun(frame, known))
            answer: Any = {target: _as_given(each) for target, each in known.items()}
        else:
            first = check_box(wanted, frame)
            self.begin(frame, first)
            self._forget(None)
            answer = _as_given(first)
        self._last_frame, self._in_dictionaries = frame, spoken
        return {"time": perf_counter() - start} if spoken else answer

    def track(self, image: ArrayLike, info: Mapping[str, Any] | None = None) -> Any:
        """Find the target, or every target, in the next frame.

        Args:
            image: uint8 RGB ``[H, W, 3]`` or grey ``[H, W]``; may differ in size from the one before.
            info: PyTracking's; objects that begin in this frame (``init_object_ids`` and ``init_bbox``) are
                added, all else is passed over.

        Returns:
            `Tracked`; ``{id: Tracked}`` if started with ``{id: box}``, empty if no target is left; a
            dictionary with ``target_bbox``, ``object_presence_score`` and ``time`` if started with ``info``.

        Raises:
            InputError: if the image is no uint8 picture or the tracker was not initialised.
        """
        if self._last_frame is None:
            raise InputError(_NO_TARGET)
        start = perf_counter()
        frame = check_image(image)
        new = _checked(self._new_objects(info), frame)
        answer: Any
        if self._several is None:
            (answer,) = self.advance([self], [frame])
        else:
            known = list(self._several)
            found = self.advance(list(self._several.values()), [frame] * len(known)) if known else []
            answer = dict(zip(known, found))
        self._last_frame = frame
        for target, box in new.items():
            answer[target] = self.add(target, box)
        seconds = perf_counter() - start
        return dictionaries.as_output(answer, seconds) if self._in_dictionaries else answer

    def add(self, target: TargetId, box: ArrayLike, image: ArrayLike | None = None) -> Tracked:
        """Follow one more target from now on.

        Args:
            target: its id, any that is not in use: a number or a text.
            box: x, y, w, h, px.
            image: where the box lies; None is the frame that was tracked last.

        Returns:
            The box as given, score 1, state ok.

        Raises:
            InputError: if the id is in use, or the tracker was not started with ``{id: box}``.
            DomainError: if the box is not finite, has no area or lies outside the image.
        """
        several = self._require_several("add a target")
        if target in several:
            raise InputError(
                f"There is a target {target!r} already: remove({target!r}) first, move it with "
                f"reset(box, target={target!r}), or take another id. In use: {_listed(several)}."
            )
        frame = self._frame(image)
        known = _checked({target: box}, frame)[target]
        several[target] = self._begun(frame, known)
        self._last_frame = frame
        return _as_given(known)

    def remove(self, target: TargetId) -> None:
        """Follow a target no longer; without any target left, `track` answers ``{}`` until one is added.

        Raises:
            InputError: if there is no such target.
        """
        several = self._require_several("remove a target")
        self._require_known(target)
        several.pop(target).release()

    def reset(
        self,
        box: ArrayLike,
        keep_memory: bool = True,
        *,
        target: TargetId | None = None,
        image: ArrayLike | None = None,
    ) -> Tracked:
        """Put a target that was lost, or mistaken, where it is; its id stays.

        Args:
            box: x, y, w, h, px, in the frame that was tracked last.
            keep_memory: go on with all that was learnt of how the target looks; otherwise begin anew.
            target: which one; not needed where there is one alone.
            image: where the box lies, if not in the frame that was tracked last.

        Returns:
            The box as given, score 1, state ok.

        Raises:
            InputError: if there is no such target, or no target at all.
            DomainError: if the box is not finite, has no area or lies outside the image.
        """
        chosen = self._chosen(target)
        frame = self._frame(image)
        known = check_box(box, frame)
        if keep_memory:
            chosen.move(known)
        else:
            chosen.begin(frame, known)
        self._last_frame = frame
        return _as_given(known)

    def _chosen(self, target: TargetId | None) -> Self:
        if self._several is None:
            if self._last_frame is None:
                raise InputError(_NO_TARGET)
            if target is not None:
                raise InputError(
                    f"This tracker follows one target, which has no id; leave target={target!r} out."
                )
            return self
        if target is None:
            if len(self._several) != 1:
                raise InputError(f"Say which target: reset(box, target=...). {self._there_are()}")
            (target,) = self._several
        self._require_known(target)
        return self._several[target]

    def _require_several(self, wish: str) -> dict[TargetId, Self]:
        if self._last_frame is None:
            raise InputError(f"To {wish}, start the tracker first: initialize(image, {{id: box}}).")
        if self._several is None:
            raise InputError(
                f"To {wish}, start the tracker with initialize(image, {{id: box}}); it was started with one "
                "box and follows that target alone."
            )
        return self._several

    def _require_known(self, target: TargetId) -> None:
        if target not in self.targets:
            raise InputError(f"There is no target {target!r}. {self._there_are()}")

    def _there_are(self) -> str:
        return f"There are: {_listed(self.targets)}." if self.targets else "There is none at present."

    def _frame(self, image: ArrayLike | None) -> "Image":
        frame = self._last_frame if image is None else check_image(image)
        if frame is None:
            raise InputError(_NO_TARGET)
        return frame

    def _forget(self, new: "dict[TargetId, Self] | None") -> None:
        """Take other targets in place of those there were."""
        for target in self.targets.values():
            target.release()
        self._several = new

    def _all_begun(self, frame: "Image", boxes: Mapping[TargetId, Box]) -> "dict[TargetId, Self]":
        return {target: self._begun(frame, boxes[target]) for target in boxes}

    def _begun(self, frame: "Image", box: Box) -> Self:
        made = self.twin()
        made.begin(frame, box)
        return made

    def _new_objects(self, info: Mapping[str, Any] | None) -> Boxes:
        """Objects that begin in a frame, by PyTracking's dictionary; checked before anything is tracked."""
        new = dictionaries.boxes_to_add(info)
        for target in new:
            if target in self._require_several("add an object"):
                raise InputError(f"Object {target!r} begins in this frame, but it is being tracked already.")
        return new


def _checked(boxes: Boxes, frame: "Image") -> dict[TargetId, Box]:
    """Boxes in a frame; an error says of which target."""
    found = {}
    for target, box in boxes.items():
        try:
            found[target] = check_box(box, frame)
        except DomainError as error:
            raise DomainError(f"Target {target!r}: {error}") from error
    return found


def _as_given(box: Box) -> Tracked:
    return Tracked(box=box.copy(), score=1.0, flag=Flag.NORMAL)


def _listed(targets: Mapping[TargetId, Any]) -> str:
    return ", ".join(map(repr, targets))
