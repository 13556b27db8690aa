import csv

import cv2
import numpy as np
import pytest

from sirjax.cli.reconstructing.photos import reconstruct_photos
from sirjax.cli.reconstructing.profile import Profile
from sirjax.cli.reconstructing.session import Session
from sirjax.cli.reconstructing.stream import Search
from sirjax.cli.reconstructing.writing import FaceWriter, Outputs
from sirjax.predictor import Predictor
from tests.cli.photos_with_faces import MarkedFaces, make_photo
from tests.oracles import MODEL, Oracle, answers

METADATA = {"step": 7, "face_model": "f00d", "face_model_licence": "CC0-1.0"}


class Brightness(Oracle):
    """An oracle whose first shape coefficient is the brightness of the crop, and whose expression is neutral."""

    def __call__(self, image):
        known = super().__call__(image)
        shape = known.shape.at[:, 0].set(image.mean(axis=(1, 2, 3)))
        return known.replace(shape=shape, expression=0 * known.expression)


@pytest.fixture(scope="module")
def predictor():
    parameters = answers(np.random.default_rng(0))
    return Predictor(Brightness(), parameters, MODEL, METADATA, detector=MarkedFaces(), batch_size=2)


def session(predictor, out):
    out.mkdir()
    profile = Profile()
    writer = FaceWriter(predictor, "run", Outputs(formats=("npz",), pictures=False), profile)
    return Session(predictor, Search(), writer, profile, out)


def photos_of(folder, brightness):
    """One photo of each brightness, with one face."""
    paths = []
    for i, value in enumerate(brightness):
        paths.append(folder / f"{i}.png")
        make_photo(paths[-1], 1)
        image = np.full((160, 240, 3), value, np.uint8)
        image[0, 0] = (0, 0, 1)
        cv2.imwrite(str(paths[-1]), image)
    return paths


def read(path, name):
    with np.load(path) as data:
        return data[name]


def test_without_grouping_every_photo_speaks_for_itself(predictor, tmp_path):
    paths = photos_of(tmp_path / "in", (0, 255))
    assert reconstruct_photos(paths, session(predictor, tmp_path / "out")) == {"ok": 2}
    shapes = [read(tmp_path / f"out/{i}/face0.npz", "shape_whitened")[0] for i in range(2)]
    np.testing.assert_allclose(shapes, [0, 1], atol=0.02)
    assert not (tmp_path / "out/people").exists()


@pytest.mark.parametrize("use_fused", [False, True])
def test_the_photos_of_each_folder_are_fused_into_a_person(predictor, tmp_path, use_fused, capsys):
    paths = photos_of(tmp_path / "anna", (0, 255, 255)) + photos_of(tmp_path / "bob", (102,))
    make_photo(tmp_path / "bob/none.png", 0)
    paths.append(tmp_path / "bob/none.png")
    counts = reconstruct_photos(paths, session(predictor, tmp_path / "out"), grouping="folder", use_fused=use_fused)
    assert counts == {"ok": 4, "no_face": 1}
    own = {"anna": [0, 1, 1], "bob": [0.4]}
    fused = {"anna": 2 / 3, "bob": 0.4}
    for name, suffix in (("anna", ""), ("bob", "-2")):  # 0.png is there twice
        assert read(tmp_path / f"out/people/{name}/person.npz", "shape_whitened")[0] == pytest.approx(
            fused[name], abs=0.02
        )
        for i, value in enumerate(own[name]):
            shape = read(tmp_path / f"out/{i}{suffix}/face0.npz", "shape_whitened")[0]
            assert shape == pytest.approx(fused[name] if use_fused else value, abs=0.02)
    with (tmp_path / "out/people.csv").open(newline="") as file:
        spread = {row["person"]: float(row["person_spread_mm"]) for row in csv.DictReader(file)}
    # Codes 0, 1, 1 lie 2/3, 1/3, 1/3 from their mean: root mean square sqrt(2) / 3 of the first mode's deviation.
    per_vertex = float(MODEL.shape_std[0]) / np.sqrt(MODEL.num_vertices)  # mm: the basis is orthonormal
    assert spread["anna"] == pytest.approx(np.sqrt(2) / 3 * per_vertex, rel=0.05)
    assert spread["bob"] == pytest.approx(0, abs=1e-4)
    assert "anna: 3 photos, which differ by" in capsys.readouterr().out
