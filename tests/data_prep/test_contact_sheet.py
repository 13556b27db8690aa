import cv2
import numpy as np
import pytest

from data_prep.contact_sheet import COLUMNS, CROPS, ENLARGED, contact_sheet, write_contact_sheet
from sirjax.data.images import decode_image
from tests.data.samples import identity_records, landmark_records

TILE = (112 * ENLARGED, 96 * ENLARGED)


@pytest.fixture(scope="module")
def landmark_set(tmp_path_factory):
    return landmark_records(tmp_path_factory.mktemp("sheet") / "points", CROPS + 5)


def test_a_large_set_fills_the_sheet_with_different_crops(landmark_set):
    sheet = contact_sheet(landmark_set)
    rows = CROPS // COLUMNS
    assert sheet.shape == (rows * TILE[0], COLUMNS * TILE[1], 3)
    tiles = sheet.reshape(rows, TILE[0], COLUMNS, TILE[1], 3).swapaxes(1, 2).reshape(CROPS, -1)
    assert len(np.unique(tiles, axis=0)) == CROPS
    np.testing.assert_array_equal(sheet, contact_sheet(landmark_set))
    assert np.any(sheet != contact_sheet(landmark_set, seed=1))


def test_landmarks_are_drawn_where_they_are(landmark_set):
    sample = landmark_set[0]
    first = contact_sheet([sample])[: TILE[0], : TILE[1]].astype(int)
    plain = cv2.resize(decode_image(sample.image), TILE[::-1], interpolation=cv2.INTER_CUBIC).astype(int)
    places = np.rint((sample.landmarks + 0.5) * ENLARGED - 0.5).astype(int)
    inside = places[(places[:, 1] < TILE[0]) & (places[:, 0] < TILE[1])]
    changed = np.abs(first - plain).sum(axis=2)
    assert np.median(changed[inside[:, 1], inside[:, 0]]) > 60


def test_a_small_set_without_landmarks_gets_the_template(tmp_path):
    records = identity_records(tmp_path / "people", people=3, photos=1)
    write_contact_sheet(records, tmp_path / "sheet.png")
    sheet = cv2.imread(str(tmp_path / "sheet.png"), cv2.IMREAD_COLOR_RGB)
    assert sheet.shape == (TILE[0], COLUMNS * TILE[1], 3)
    assert (sheet[:, 3 * TILE[1] :] == 255).all()
    # The nose of the template, (48.03, 71.74), is at (96.56, 143.98) of the doubled crop.
    for column in range(3):
        np.testing.assert_array_equal(sheet[144, column * TILE[1] + 97], [255, 214, 10])
