"""Every photo is shown once, in order."""

import numpy as np

from data_prep import teacher
from sirjax.data.images import decode_image
from sirjax.data.records import open_records
from sirjax.data.teacher import load_descriptors
from tests.noise_records import write_noise_records


def test_descriptors_are_those_of_the_crops_in_order(tmp_path, monkeypatch, capsys):
    folder = write_noise_records(tmp_path / "people", ["a/1", "a/2", "b/1"])
    monkeypatch.setattr(teacher, "dlib_recognizer", lambda: lambda crop: crop.mean(axis=(0, 1)).astype(np.float32))
    assert teacher.main([str(folder)]) == 0
    records = open_records(folder)
    expected = [decode_image(records[row].image).mean(axis=(0, 1)) for row in range(3)]
    (descriptors,) = load_descriptors([records])
    np.testing.assert_allclose(descriptors, expected, rtol=1e-5)
    assert capsys.readouterr().out.strip() == str(folder / "teacher.npz")
