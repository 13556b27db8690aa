import numpy as np
import pytest

from data_prep.face_models import threeddfa
from tests.data_prep.face_models import published
from tests.data_prep.face_models.checks import assert_is_dome


def test_the_paper_s_model_is_read_in_millimeters(tmp_path):
    raw = threeddfa.read(published.write_3ddfa(tmp_path))
    assert_is_dome(raw)
    np.testing.assert_allclose(raw.shape_std, published.SHAPE_STD)  # the modes themselves are not rescaled
    np.testing.assert_array_equal(raw.landmarks.vertices[:, 0], published.LANDMARKS)
    np.testing.assert_array_equal(raw.triangles, published.TRIANGLES)
    np.testing.assert_allclose(raw.colors, published.COLORS)


def test_other_releases_call_the_fields_otherwise(tmp_path):
    published.write_3ddfa(tmp_path, drop=("w", "tex"), w_shape=published.columns(published.SHAPE))
    (tmp_path / "Model_Exp.mat").rename(tmp_path / "Model_Expression.mat")
    raw = threeddfa.read(tmp_path / "Model_Shape.mat")
    assert_is_dome(raw)
    assert raw.colors is None


def test_the_missing_expression_file_is_named(tmp_path):
    (published.write_3ddfa(tmp_path) / "Model_Exp.mat").unlink()
    with pytest.raises(FileNotFoundError) as error:
        threeddfa.read(tmp_path)
    assert str(error.value) == (
        f"{tmp_path / 'Model_Exp.mat'} is missing (nor is there Model_Expression.mat). {threeddfa.FORMAT.remedy}"
    )


def test_missing_fields_are_named_with_what_is_there(tmp_path):
    published.write_3ddfa(tmp_path, drop=("keypoints", "sigma"))
    with pytest.raises(
        ValueError, match="has no field sigma, keypoints: it looks like 3DDFA's .* .it holds mu_shape, tex, tri, w."
    ):
        threeddfa.read(tmp_path)


def test_a_git_lfs_pointer_is_recognized(tmp_path):
    published.write_3ddfa(tmp_path)
    (tmp_path / "Model_Exp.mat").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    with pytest.raises(ValueError, match="Model_Exp.mat is a git-LFS pointer, not the file itself: run `git lfs pull`"):
        threeddfa.read(tmp_path)


def test_shapes_that_do_not_fit_are_refused(tmp_path):
    published.write_3ddfa(tmp_path, sigma=np.ones((5, 1)))
    with pytest.raises(ValueError, match=r"has sigma of float64 \[5\], expected numbers \[6\]"):
        threeddfa.read(tmp_path)
