"""The TraX protocol, for toolkits before 0.8: requests on standard input, answers on standard output.

Standard output belongs to the protocol: whatever prints while it runs prints to standard error.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any

from ebm.exceptions import EBMError, InputError
from ebm.extras import explain_missing
from pytracking.vot.follower import Answer, Follower, color_file
from pytracking.vot.regions import Box, PolygonRule, box_of_mask, box_of_polygon, box_of_value

__all__ = ["run_trax", "stdout_to_stderr"]


@contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """What Python and C libraries print to standard output goes to standard error inside."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def run_trax(follower: Follower, name: str) -> int:
    """Answer a TraX client until it quits.

    Args:
        follower: with its network loaded: the client's clock starts before the handshake.
        name: of the tracker, told to the client.

    Returns: the number of frames.

    Raises:
        MissingPackageError: if vot-trax is not installed.
        InputError: if the client goes away or says what cannot be understood.
        EBMError: of the tracker; the client is told why.
    """
    try:
        import trax
    except ModuleNotFoundError as error:
        if error.name != "trax":
            raise
        raise explain_missing("the TraX protocol", "trax") from error

    regions = [trax.Region.RECTANGLE, trax.Region.POLYGON, trax.Region.MASK]
    with redirect_stdout(sys.stderr):
        try:
            server = trax.Server(regions, [trax.Image.PATH], ["color"], tracker_name=name, multiobject=True)
            return _serve(trax, server, follower)
        except trax.TraxException as error:
            raise InputError(
                f"The TraX client went away or is none: {str(error).rstrip('.')}. The toolkit starts this "
                "program; by hand it only waits."
            ) from error


def _serve(trax: Any, server: Any, follower: Follower) -> int:
    frames = 0
    while True:
        request = server.wait()
        if request.type not in (trax.TraxStatus.INITIALIZE, trax.TraxStatus.FRAME):
            server.quit()
            return frames
        try:
            boxes = [_box(trax, region, follower.options.polygon) for region, _ in request.objects or ()]
            image = color_file({channel: image.path() for channel, image in request.image.items()})
            first = request.type == trax.TraxStatus.INITIALIZE
            with stdout_to_stderr():
                answers = follower.start(image, boxes) if first else follower.go_on(image, boxes)
        except (EBMError, OSError) as error:
            server.quit(str(error))
            raise
        server.status(_objects(trax, answers))
        frames += 1


def _box(trax: Any, region: Any, rule: PolygonRule) -> Box:
    if region.type == trax.Region.RECTANGLE:
        return box_of_value(region.bounds(), rule)
    if region.type == trax.Region.POLYGON:
        return box_of_polygon(list(region), rule)
    if region.type == trax.Region.MASK:
        return box_of_mask(region.array(), region.offset())
    return box_of_value((0,))  # which says what is needed


def _objects(trax: Any, answers: Sequence[Answer]) -> list[tuple[Any, dict[str, str]]]:
    return [
        (trax.Rectangle.create(*(answer.box or (0, 0, 0, 0))), {"confidence": f"{answer.score:.6f}"})
        for answer in answers
    ]
