"""What both exports share: problems stop everything before a file is written, and the picture shows the points."""

import cv2
import numpy as np
import pytest

from sirjax.cli.exporting import benchmark
from sirjax.cli.exporting.photo_shapes import PhotoShape
from sirjax.export.toolkit_mesh import Problem, topology_of
from sirjax.morphable.model import neutral_vertices
from sirjax.pictures.draw import GREEN
from tests.oracles import MODEL

TOPOLOGY = topology_of(MODEL)


def name_of(row):
    return row.path.stem


def rows(tmp_path, count, lost=()):
    rng = np.random.default_rng(0)
    return [
        PhotoShape(tmp_path / f"{i}.jpg", "no_face", "no face found")
        if i in lost
        else PhotoShape(tmp_path / f"{i}.jpg", "ok", "", rng.normal(size=MODEL.num_shape).astype(np.float32))
        for i in range(count)
    ]


def test_meshes_come_in_parts_in_order(tmp_path):
    photos = rows(tmp_path, 70, lost=[3])
    parts = list(benchmark.meshes(MODEL, TOPOLOGY, photos))
    assert [len(part) for part, _ in parts] == [32, 32, 5]
    assert [row.path.stem for part, _ in parts for row in part] == [str(i) for i in range(70) if i != 3]
    last = parts[-1][1][-1]
    np.testing.assert_allclose(last, neutral_vertices(MODEL, photos[-1].shape[None])[0], atol=1e-4)


def test_lost_photos_and_odd_meshes_are_problems(tmp_path):
    photos = rows(tmp_path, 4, lost=[1, 2])
    assert benchmark.check(MODEL, TOPOLOGY, photos[:1], name_of) == []
    (found,) = benchmark.check(MODEL, TOPOLOGY, photos, name_of)
    assert found.what == f"2 of 4 photos gave no mesh, the first is {tmp_path / '1.jpg'} (no_face: no face found)"
    photos[3].shape = np.full(MODEL.num_shape, np.nan, np.float32)
    found = benchmark.check(MODEL, TOPOLOGY, photos, name_of)
    assert found[1].what == "3: vertices are not finite"


def test_problems_stop_unless_allowed(capsys):
    assert benchmark.settle([], allow=False)
    assert not benchmark.settle([Problem("too wide", "shrink it")], allow=False)
    assert capsys.readouterr().err == (
        "problem: too wide: shrink it\n1 problems: nothing was written (--allow-failures writes all the same)\n"
    )
    assert benchmark.settle([Problem("too wide", "shrink it")], allow=True)


def test_a_folder_in_use_is_refused(tmp_path):
    benchmark.check_target(tmp_path / "new")
    benchmark.check_target(tmp_path)
    (tmp_path / "x").write_text("")
    with pytest.raises(FileExistsError, match="exists and is not empty: name a new folder, or empty it"):
        benchmark.check_target(tmp_path)


def test_the_picture_shows_every_point_where_it_is(tmp_path):
    benchmark.write_picture(
        tmp_path / "p.png",
        MODEL,
        rows(tmp_path, 2, lost=[0]),
        lambda vertices: TOPOLOGY.landmarks(vertices[None].astype(float))[0, [36, 45]],
        range(2),
        "auto",
    )
    picture = cv2.imread(str(tmp_path / "p.png"))[..., ::-1].astype(int)
    front = picture[: benchmark._SIDE, : benchmark._SIDE]
    v, u = np.nonzero(np.abs(front - GREEN).sum(axis=-1) < 40)
    assert v.size > 20
    middle = benchmark._SIDE / 2
    assert (u < middle).sum() == pytest.approx((u > middle).sum(), abs=12)
    assert np.ptp(v) < 12  # both eye corners at one height of the symmetric mean face
    assert picture.shape[0] > 2 * benchmark._SIDE  # the prediction below the mean face


def test_points_without_a_number_are_small_dots():
    paper = np.zeros((60, 120, 3), np.uint8)
    places = np.array([[20.0, 30.0, 0.0], [80.0, 30.0, 0.0]])
    drawn = benchmark._with_points(paper, places, [None, 7]).any(axis=-1)
    assert 1 <= drawn[:, :50].sum() <= 15
    assert drawn[:, 50:].sum() > 40
