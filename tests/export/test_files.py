import cv2
import numpy as np

from sirjax.export import files


def test_images_come_back_in_the_same_colors(tmp_path, rng):
    image = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    files.write_image(tmp_path / "a.png", image)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.png"))[..., ::-1], image)
    smooth = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    files.write_image(tmp_path / "a.jpg", smooth)
    np.testing.assert_allclose(cv2.imread(str(tmp_path / "a.jpg"))[..., ::-1].astype(int), smooth, atol=2)


def test_the_version_is_the_installed_one():
    assert files.software().split()[0] == "sirjax"


def test_an_uninstalled_copy_says_so(monkeypatch):
    def missing(name):
        raise files.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(files.metadata, "version", missing)
    assert files.software() == "sirjax (not installed)"
