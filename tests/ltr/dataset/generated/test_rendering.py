"""The truth about drawn clips: boxes against masks, ratios against geometry, determinism."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ebm.exceptions import DomainError, InputError, UnknownNameError
from ltr.dataset.generated import TRAIN_SCENE, ClipTruth, Renderer, Scene, SceneConfig, render, sample_scene
from ltr.dataset.generated.bodies import BODIES, make_body
from ltr.dataset.generated.canvas import Canvas, draw_body
from ltr.dataset.generated.jobs import VideoJob, contrast, draw_clip
from ltr.dataset.generated.outlines import OUTLINES, make_outline
from ltr.dataset.generated.photos import find_photos
from ltr.dataset.generated.posing import Pose, PosedBody
from ltr.dataset.generated.sensor import block_artefacts
from ltr.dataset.generated.sprites import make_sprites
from ltr.dataset.generated.truth import attributes

SMALL = replace(TRAIN_SCENE, frame_sizes=((160, 120),), length=(10, 10))
CPU = torch.device("cpu")


def _alone(
    kind: str, seed: int, *, bend: float = 0.0, scale: float = 40.0
) -> tuple[PosedBody, Canvas, torch.Tensor]:
    """One body, turned and bent, in the middle of three black frames: itself, the canvas and its mask."""
    rng = np.random.default_rng(seed)
    body = replace(make_body(kind, rng), swing=0.5, bend=(bend, bend), wave=(2.0, 1.5))
    angle = np.array([0.0, 0.7, 2.0])
    turn = np.stack((np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)), 1).reshape(3, 2, 2)
    pose = Pose(
        turn * scale, np.full((3, 2), 100.0) + angle[:, None], angle * 2.0, np.stack((angle, angle), 1)
    )
    posed = PosedBody(body, pose)
    canvas = Canvas(torch.zeros(3, 3, 200, 200), tracked=1)
    draw_body(canvas, posed, make_sprites(body, (scale, scale), CPU), channel=0)
    return posed, canvas, canvas.seen[0, :-1].view(3, 200, 200)


@pytest.mark.parametrize("kind", sorted(OUTLINES))
def test_an_outline_fills_its_square_exactly(kind: str) -> None:
    for seed in range(5):
        points = make_outline(kind, np.random.default_rng(seed)).points
        np.testing.assert_allclose(points.min(axis=0), [-1.0, -1.0], atol=1e-12)
        np.testing.assert_allclose(points.max(axis=0), [1.0, 1.0], atol=1e-12)


def test_unknown_shapes_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="ellipse"):
        make_outline("elipse", np.random.default_rng(0))


@pytest.mark.parametrize("kind", sorted(set(BODIES) - {"line", "pole"}))
@pytest.mark.parametrize("bend", [0.0, 0.12])
def test_the_amodal_box_is_the_box_of_the_mask(kind: str, bend: float) -> None:
    posed, _, mask = _alone(kind, seed=3, bend=bend)
    points = np.concatenate(posed.outlines(), axis=1)
    for frame in range(3):
        rows, columns = torch.nonzero(mask[frame] > 0.5, as_tuple=True)
        drawn = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], dtype=float)
        exact = np.concatenate((points[frame].min(axis=0), points[frame].max(axis=0)))
        # A pixel counts from half coverage on, and a sharp tip loses coverage before it ends.
        assert np.abs(drawn - exact).max() < 2.0


def test_the_area_of_a_disc_is_that_of_its_circle() -> None:
    rng = np.random.default_rng(0)
    body = make_body("region", rng)
    outline = replace(make_outline("ellipse", rng), radius=np.ones(256), centre=np.zeros(2), half=np.ones(2))
    part = replace(body.parts[0], outline=outline, half=(1.0, 1.0), centre=(0.0, 0.0))
    body = replace(body, parts=(part,), extent=(1.0, 1.0), bend=(0.1, 0.2))
    pose = Pose(np.eye(2)[None] * 30.0, np.full((1, 2), 50.0), np.zeros(1), np.zeros((1, 2)))
    canvas = Canvas(torch.zeros(1, 3, 100, 100), tracked=1)
    found = draw_body(canvas, PosedBody(body, pose), make_sprites(body, (30.0, 30.0), CPU), channel=0)
    assert found is not None
    # Bending shears and keeps the area.
    assert float(found.mask.sum()) == pytest.approx(np.pi * 30.0**2, rel=0.01)


def test_a_body_drawn_over_another_hides_it_and_half_a_frame_halves_what_is_inside() -> None:
    rng = np.random.default_rng(0)
    body = make_body("ball", rng)
    sprites = make_sprites(body, (20.0, 20.0), CPU)
    pose = Pose(np.eye(2)[None] * 20.0, np.array([[0.0, 50.0]]), np.zeros(1), np.zeros((1, 2)))
    canvas = Canvas(torch.zeros(1, 3, 100, 100), tracked=1)
    found = draw_body(canvas, PosedBody(body, pose), sprites, channel=0)
    assert found is not None
    assert float(canvas.seen[0, :-1].sum() / found.mask.sum()) == pytest.approx(0.5, abs=0.08)
    draw_body(canvas, PosedBody(body, pose), sprites)
    assert float(canvas.seen[0, :-1].max()) < 0.3  # only the half covered rim is left


@pytest.fixture(scope="module")
def clips() -> list[tuple[Scene, ClipTruth]]:
    config = replace(SMALL, p_out_of_view=0.4, p_occluder=0.7, length=(24, 24))
    scenes = [sample_scene(seed, config) for seed in range(12)]
    return [(scene, render(scene)[1]) for scene in scenes]


def test_visible_boxes_lie_in_amodal_boxes_and_ratios_are_ordered(
    clips: list[tuple[Scene, ClipTruth]],
) -> None:
    for _, truth in clips:
        assert (truth.visible_ratio <= truth.inside_ratio + 1e-5).all()
        assert (truth.inside_ratio <= 1.0 + 1e-5).all()
        seen = truth.visible[:, 2] > 0
        low, high = truth.amodal[seen, :2], truth.amodal[seen, :2] + truth.amodal[seen, 2:]
        assert (truth.visible[seen, :2] >= low - 2.0).all()
        assert (truth.visible[seen, :2] + truth.visible[seen, 2:] <= high + 2.0).all()


def test_out_of_view_agrees_with_geometry(clips: list[tuple[Scene, ClipTruth]]) -> None:
    left = 0
    for scene, truth in clips:
        clipped = truth.clipped(scene.size)
        assert truth.out_of_view[(clipped[:, 2:].prod(axis=1) == 0.0)].all()
        share = clipped[:, 2:].prod(axis=1) / truth.amodal[:, 2:].prod(axis=1)
        assert not truth.out_of_view[share > 0.9].any()
        left += int(truth.out_of_view.sum())
        assert attributes(scene, truth)["out_of_view"] == truth.out_of_view.any()
    assert left > 5


def test_attributes_say_what_is_in_the_scene(clips: list[tuple[Scene, ClipTruth]]) -> None:
    for scene, truth in clips:
        found = attributes(scene, truth)
        assert found["distractors"] == any(actor.role == "distractor" for actor in scene.actors)
        side = np.sqrt(truth.amodal[:, 2:].prod(axis=1))
        assert found["scale"] == (side.max() / side.min() > 1.3)
        assert found["partial_occlusion"] == (truth.occlusion[~truth.out_of_view] > 0.15).any()
        if found["full_occlusion"]:
            assert truth.visible_ratio[truth.full_occlusion].max() < 0.12


def test_without_actors_before_it_the_target_is_never_hidden() -> None:
    config = replace(SMALL, p_occluder=0.0, p_distractors=0.0, p_out_of_view=0.0)
    for seed in range(6):
        _, truth = render(sample_scene(seed, config))
        np.testing.assert_allclose(truth.visible_ratio, truth.inside_ratio, atol=1e-4)


def test_the_same_seed_gives_the_same_frames_and_another_seed_others() -> None:
    first, truth = render(sample_scene(5, SMALL))
    again, same = render(sample_scene(5, SMALL))
    assert torch.equal(first, again)
    np.testing.assert_array_equal(truth.amodal, same.amodal)
    assert not torch.equal(first, render(sample_scene(6, SMALL))[0])


def test_a_slice_of_frames_is_the_same_as_the_whole() -> None:
    scene = sample_scene(11, replace(SMALL, p_blur=1.0))
    whole, truth = render(scene)
    part, cut = render(scene, slice(4, 8))
    assert (whole[4:8].int() - part.int()).abs().max() <= 1
    np.testing.assert_allclose(truth.amodal[4:8], cut.amodal)
    np.testing.assert_allclose(truth.visible_ratio[4:8], cut.visible_ratio, atol=1e-4)


def test_all_actors_can_be_tracked_at_once() -> None:
    scene = sample_scene(3, replace(SMALL, p_distractors=1.0, p_occluder=1.0))
    _, truths = Renderer(scene, track_all=True).draw(np.arange(3))
    _, alone = render(scene, slice(0, 3))
    assert set(truths) == set(range(len(scene.actors)))
    np.testing.assert_allclose(truths[scene.target].visible_ratio, alone.visible_ratio, atol=1e-5)


def test_block_artefacts_grow_as_quality_falls() -> None:
    image, _ = render(sample_scene(5, SMALL), slice(0, 2))
    change = [(block_artefacts(image, q).float() - image.float()).abs().mean() for q in (95, 60, 20)]
    assert 0.0 < change[0] < change[1] < change[2] < 20.0


def test_impossible_configurations_are_refused() -> None:
    with pytest.raises(DomainError, match="p_blur"):
        SceneConfig(p_blur=1.5)
    with pytest.raises(DomainError, match="speed"):
        SceneConfig(speed=(0.2, 0.1))
    with pytest.raises(DomainError, match="frame_sizes"):
        SceneConfig(frame_sizes=((8, 8),))


def test_photographs_become_surfaces_and_wrong_folders_are_named(tmp_path: Path) -> None:
    import cv2

    with pytest.raises(InputError, match="no such folder"):
        find_photos(tmp_path / "none")
    with pytest.raises(InputError, match="no photographs"):
        find_photos(tmp_path)
    picture = np.zeros((60, 80, 3), dtype=np.uint8)
    picture[..., 2] = 255  # red, in OpenCV's order
    cv2.imwrite(str(tmp_path / "red.png"), picture)
    photos = find_photos(tmp_path)
    config = replace(SMALL, p_texture=1.0, p_illumination=0.0, p_grey=0.0)
    scene = next(
        s for s in (sample_scene(i, config, textures=1) for i in range(50)) if s.backdrop.ground.photo >= 0
    )
    image, _ = render(scene, slice(0, 1), photos=photos)
    red = (image[0, 0].int() - image[0, 1].int() > 60).float().mean()
    assert red > 0.2


def test_contrast_is_the_step_between_a_box_and_its_surroundings() -> None:
    frame = np.full((40, 60, 3), 50, dtype=np.uint8)
    frame[10:20, 10:30] = 80
    assert contrast(frame, np.array([10.0, 10.0, 20.0, 10.0])) == pytest.approx(30.0)
    assert contrast(frame, np.array([40.0, 25.0, 10.0, 10.0])) == pytest.approx(0.0)


def test_a_drawn_clip_starts_with_a_target_that_can_be_told_apart(tmp_path: Path) -> None:
    for seed in range(4):
        job = VideoJob(root=tmp_path, layout="otb", name="x", category="person", seed=seed, config=SMALL)
        clip = draw_clip(job)
        assert clip.truth.visible_ratio[0] >= 0.9
        assert clip.record["contrast"] >= (9.0 if clip.record["attributes"]["low_contrast"] else 18.0)
