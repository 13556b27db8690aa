import pickle

import numpy as np
import pytest

from data_prep.face_models import flame
from data_prep.face_models.raw import EYE, SKIN
from tests.data_prep.face_models import published
from tests.data_prep.face_models.checks import assert_is_dome


def test_the_pickle_with_chumpy_and_sparse_arrays_is_read(tmp_path):
    raw = flame.read(published.write_flame(tmp_path))
    assert_is_dome(raw)
    assert len(raw.shape_std) == 300
    assert len(raw.expression_std) == 3
    index, weights = published.embedding()
    np.testing.assert_array_equal(raw.landmarks.vertices, published.TRIANGLES[index])
    np.testing.assert_allclose(raw.landmarks.weights, weights)


def test_the_npz_is_the_same_model(tmp_path):
    (published.write_flame(tmp_path) / "generic_model.pkl").unlink()
    np.savez(tmp_path / "flame2023.npz", **published.flame_fields())
    assert_is_dome(flame.read(tmp_path))


@pytest.mark.parametrize("suffix", ["pkl", "npz"])
def test_the_older_landmark_files_are_read(tmp_path, suffix):
    (published.write_flame(tmp_path) / "landmark_embedding.npy").unlink()
    index, weights = published.embedding()
    fields = {"lmk_face_idx": index.astype(np.uint32), "lmk_b_coords": weights}
    if suffix == "pkl":
        (tmp_path / "flame_static_embedding_68.pkl").write_bytes(pickle.dumps(fields, protocol=2))
    else:
        np.savez(tmp_path / "flame_static_embedding_68_v4.npz", **fields)
    raw = flame.read(tmp_path)
    np.testing.assert_allclose(raw.landmarks.weights, weights)


def test_static_landmarks_alone_leave_the_jaw_unknown(tmp_path):
    published.write_flame(tmp_path)
    index, weights = published.embedding()
    fields = {"static_lmk_faces_idx": index[17:], "static_lmk_bary_coords": weights[17:]}
    np.save(tmp_path / "landmark_embedding.npy", np.array(fields, dtype=object), allow_pickle=True)
    np.testing.assert_array_equal(flame.read(tmp_path).landmarks.known, np.arange(68) >= 17)


def test_the_texture_file_gives_layout_and_colors(tmp_path):
    published.write_flame(tmp_path)
    texture = np.zeros((64, 64, 3), np.uint8)
    texture[..., 0] = 255  # blue comes first
    np.savez(tmp_path / "FLAME_texture.npz", vt=published.UV * [1, -1] + [0, 1], ft=published.TRIANGLES, mean=texture)
    raw = flame.read(tmp_path)
    np.testing.assert_allclose(raw.uv, published.UV, atol=1e-6)
    np.testing.assert_allclose(raw.colors, np.tile([0.0, 0.0, 1.0], (published.COUNT, 1)))


def test_separate_pieces_are_eyes(tmp_path):
    fields = published.flame_fields()
    fields["v_template"] = np.concatenate(
        [fields["v_template"], [[0.03, 0.03, 0.06], [0.04, 0.03, 0.06], [0.03, 0.04, 0.06]]]
    )
    fields["shapedirs"] = np.pad(fields["shapedirs"], ((0, 3), (0, 0), (0, 0)))
    fields["f"] = np.concatenate([fields["f"], [[289, 290, 291]]])
    published.write_flame(tmp_path)
    (tmp_path / "generic_model.pkl").write_bytes(pickle.dumps(fields))
    np.testing.assert_array_equal(flame.read(tmp_path).parts, [SKIN] * 289 + [EYE] * 3)


def test_a_pickle_that_would_execute_something_is_refused_unexecuted(tmp_path):
    published.write_flame(tmp_path)
    trace = tmp_path / "executed"

    class Malice:
        def __reduce__(self):
            return (open, (str(trace), "w"))

    (tmp_path / "generic_model.pkl").write_bytes(pickle.dumps({"v_template": Malice()}))
    with pytest.raises(ValueError, match="cannot be read: it asks for .*open, and only arrays are read here"):
        flame.read(tmp_path)
    assert not trace.exists()


def test_a_model_without_expressions_is_refused(tmp_path):
    fields = published.flame_fields()
    fields["shapedirs"] = fields["shapedirs"][:, :, :10]
    published.write_flame(tmp_path)
    (tmp_path / "generic_model.pkl").write_bytes(pickle.dumps(fields))
    with pytest.raises(ValueError, match="has 10 modes, expected 300 for shape and more for expressions"):
        flame.read(tmp_path)


def test_missing_landmarks_are_named(tmp_path):
    (published.write_flame(tmp_path) / "landmark_embedding.npy").unlink()
    with pytest.raises(
        FileNotFoundError, match="landmark_embedding.npy is missing .nor is there flame_static_embedding_68"
    ):
        flame.read(tmp_path)


def test_gnm_is_named_where_flame_is_meant(tmp_path):
    published.write_flame(tmp_path)
    path = published.write_gnm(tmp_path) / "gnm_head.npz"
    with pytest.raises(ValueError, match="has no field v_template, shapedirs, f: it looks like a GNM Head file"):
        flame.read(path)


def test_a_matlab_file_is_named(tmp_path):
    path = published.write_bfm_front(tmp_path)
    with pytest.raises(ValueError, match="cannot be read: .* .it is a Matlab file, as BFM-2009"):
        flame.read(path)
