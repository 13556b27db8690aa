import numpy as np
import pytest

from data_prep.face_models import gnm
from data_prep.face_models.building import build
from tests.data_prep.face_models import published
from tests.data_prep.face_models.checks import assert_is_dome


def test_skin_and_head_identities_are_read(tmp_path):
    raw = gnm.read(published.write_gnm(tmp_path))
    assert_is_dome(raw)
    assert len(raw.shape_std) == 6  # the teeth's identity is not among them
    np.testing.assert_array_equal(raw.triangles, published.TRIANGLES)
    np.testing.assert_array_equal(raw.mirror[: published.COUNT], published.MIRROR)
    np.testing.assert_allclose(raw.uv[raw.uv_triangles], published.UV[published.TRIANGLES], atol=1e-6)


def test_landmarks_in_reverse_are_put_right(tmp_path):
    raw = gnm.read(published.write_gnm(tmp_path))
    np.testing.assert_array_equal(raw.landmarks.vertices, np.asarray(published.MODEL.landmark_vertices))


def test_the_skin_alone_becomes_the_model(tmp_path):
    model, report = build(gnm.read(published.write_gnm(tmp_path)), uv_size=32)
    assert model.num_vertices == published.COUNT
    np.testing.assert_array_equal(model.mirror_vertices, published.MIRROR)
    assert any("mirror map the model's own" in note for note in report.notes)


def test_missing_fields_are_named(tmp_path):
    published.write_gnm(tmp_path, drop=("expression_names", "mirror_indices"))
    with pytest.raises(
        ValueError, match="has no field expression_names, mirror_indices: it looks like a GNM Head file"
    ):
        gnm.read(tmp_path)


def test_flame_is_named_where_gnm_is_meant(tmp_path):
    published.write_gnm(tmp_path)
    np.savez(tmp_path / "gnm_head.npz", shapedirs=np.zeros(3))
    with pytest.raises(ValueError, match="it looks like FLAME .format flame."):
        gnm.read(tmp_path)


def test_a_pointer_of_git_lfs_and_a_missing_list_are_named(tmp_path):
    published.write_gnm(tmp_path)
    (tmp_path / "gnm_head.npz").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(ValueError, match="gnm_head.npz is a git-LFS pointer"):
        gnm.read(tmp_path)
    (tmp_path / "head_sparse_68.txt").unlink()
    published_file = tmp_path / "gnm_head.npz"
    published_file.write_bytes(b"PK")
    with pytest.raises(FileNotFoundError, match="head_sparse_68.txt is missing"):
        gnm.read(tmp_path)


def test_a_web_page_instead_of_the_archive_is_named(tmp_path):
    published.write_gnm(tmp_path)
    (tmp_path / "gnm_head.npz").write_text("<!DOCTYPE html><html>Sign in</html>")
    with pytest.raises(ValueError, match="is no .npz archive but a web page: the download asked for a login"):
        gnm.read(tmp_path)


def test_another_landmark_table_is_refused(tmp_path):
    published.write_gnm(tmp_path)
    (tmp_path / "head_sparse_68.txt").write_text("1 2 3\n" * 68)
    with pytest.raises(ValueError, match=r"is a table of \[68, 3\], expected 68 lines of three vertices with weights"):
        gnm.read(tmp_path)
