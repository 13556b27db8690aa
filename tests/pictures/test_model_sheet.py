import numpy as np
import pytest

from sirjax.pictures import model_sheet
from sirjax.pictures.draw import PAPER
from tests.face_models import dome_face_model

MODEL = dome_face_model(grid=9)


@pytest.fixture(scope="module")
def sheet():
    return model_sheet.model_sheet(MODEL, modes=2, expressions=1, size=64)


def test_the_sheet_shows_the_same_for_the_same_seed(sheet):
    np.testing.assert_array_equal(model_sheet.model_sheet(MODEL, modes=2, expressions=1, size=64), sheet)
    other = model_sheet.model_sheet(MODEL, modes=2, expressions=1, size=64, seed=1)
    assert other.shape == sheet.shape
    assert (other != sheet).any()


def test_the_sheet_is_no_blank_paper(sheet):
    assert sheet.dtype == np.uint8
    covered = (sheet != np.array(PAPER)).any(axis=2)
    assert 0.1 < covered.mean() < 0.9
    # The large views at the top, and the map at the bottom.
    assert covered[60:150].any()
    assert covered[-100:].any()


def test_modes_are_shown_strongest_first():
    weak_first = MODEL.replace(shape_std=MODEL.shape_std[::-1])
    numbers = [k for k, _ in model_sheet._strongest(weak_first.shape_basis, weak_first.shape_std, 2)]
    assert numbers == [5, 4]
    _, offset = model_sheet._strongest(MODEL.shape_basis, MODEL.shape_std, 1)[0]
    assert np.linalg.norm(offset) == pytest.approx(float(MODEL.shape_std[0]), rel=1e-5)


def test_small_faces_of_whole_heads_are_enlarged():
    assert model_sheet._zoom(MODEL) == 1.0
    with_neck = MODEL.replace(mean=MODEL.mean.at[0, 1].add(-300.0))
    assert model_sheet._zoom(with_neck) > 1.5
