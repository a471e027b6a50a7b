"""Read an image file, or say exactly why it cannot be read."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ebm.exceptions import InputError

__all__ = ["read_image"]

# As stored, whatever the EXIF orientation says: boxes are annotated, and published networks were trained,
# that way.
_FLAGS = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION

_JPEG, _PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
_JPEG_END, _JPEG_SCAN, _PNG_END = b"\xff\xd9", b"\xff\xda", b"IEND"


def _is_cut_off(data: bytes) -> bool:
    """Whether a JPEG or PNG stops before its end marker.

    OpenCV does not tell: libjpeg fills what is missing of a truncated file with grey and only warns on
    stderr, so training would silently see grey targets. The marker is looked for from the back and costs
    microseconds. Inside a JPEG scan the two bytes cannot occur (0xff is escaped there), but an embedded
    thumbnail has an end marker of its own: only one after the last scan counts.
    """
    if data.startswith(_JPEG):
        if data.endswith(
            _JPEG_END
        ):  # nearly always; and a file cut right behind its thumbnail has no scan to decode
            return False
        return data.rfind(_JPEG_END) < data.rfind(_JPEG_SCAN)
    if data.startswith(_PNG):
        return data.rfind(_PNG_END) < 0
    return False


def _why_not(path: Path, data: bytes) -> str:
    """Why a file that is there gave no image."""
    if not data:
        return "the image is corrupt: the file is empty. Extract or download it again."
    if _is_cut_off(data):
        return (
            f"the image is truncated: its {len(data)} bytes stop before the end marker. Extract or download "
            "it again."
        )
    if data.startswith((_JPEG, _PNG)) or cv2.haveImageReader(str(path)):
        return "the image is corrupt: it cannot be decoded. Extract or download it again."
    return (
        f"no decoder for this kind of file (it starts with {data[:8]!r}). Convert it to JPEG or PNG; if it "
        "should be an image already, it was not downloaded properly."
    )


def read_image(path: str | Path, *, sequence: str = "", frame: int | None = None) -> npt.NDArray[np.uint8]:
    """Decode an image.

    Args:
        path: the file.
        sequence: name of the sequence that it belongs to, for messages.
        frame: its number in the sequence, counted from 0, for messages.

    Returns:
        ``[H, W, 3]`` RGB, 0..255; grey images are repeated over the channels.

    Raises:
        InputError: if the file is missing, corrupt or truncated, or of a kind that cannot be decoded; the
            three read differently, and all name the file, the sequence and the frame.
    """
    path = Path(path)
    where = f"{path}" + (f" (sequence {sequence}" if sequence else "")
    where += (f", frame {frame})" if frame is not None else ")") if sequence else ""
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(
            f"{where}: the image is missing. Extract the sequence again, or leave it out."
        ) from error
    except OSError as error:
        raise InputError(f"{where}: the image cannot be read ({error.strerror}).") from error
    image = None
    if data and not _is_cut_off(data):
        try:
            image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), _FLAGS)
        except cv2.error as error:
            raise InputError(f"{where}: the image is corrupt: {str(error).strip()}") from error
    if image is None:
        raise InputError(f"{where}: {_why_not(path, data)}")
    return np.asarray(image, dtype=np.uint8)
