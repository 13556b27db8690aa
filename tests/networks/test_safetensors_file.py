import json

import jax.numpy as jnp
import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from sirjax.networks.safetensors_file import encode_safetensors, read_safetensors, read_texts

KINDS = ("<f8", "<f4", "<f2", "<i8", "<i4", "<u1", jnp.bfloat16)


def arrays_of(rng, kinds=KINDS):
    return {f"a/{i}": (10 * rng.normal(size=(2, i, 3))).astype(kind) for i, kind in enumerate(kinds)}


def assert_same(found, arrays):
    assert sorted(found) == sorted(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_what_the_reference_library_writes_is_read(rng, tmp_path):
    arrays = arrays_of(rng)
    safetensors.numpy.save_file(arrays, tmp_path / "x", metadata={"licence": "CC0-1.0 ä"})
    assert_same(read_safetensors(tmp_path / "x"), arrays)
    assert read_texts(tmp_path / "x") == {"licence": "CC0-1.0 ä"}


def test_the_reference_library_reads_what_is_written(rng, tmp_path):
    arrays, texts = arrays_of(rng), {"format": "v1", "about": '{"a": "ü"}'}
    (tmp_path / "x").write_bytes(encode_safetensors(arrays, texts))
    with safetensors.safe_open(tmp_path / "x", framework="np") as file:
        assert file.metadata() == texts
        assert_same({name: file.get_tensor(name) for name in file.keys()}, arrays)  # noqa: SIM118


@given(st.lists(st.tuples(st.sampled_from(range(len(KINDS))), st.lists(st.integers(0, 4), max_size=3)), max_size=6))
def test_all_types_and_shapes_come_back(tmp_path_factory, sizes):
    rng = np.random.default_rng(0)
    arrays = {
        str(i): np.asarray(rng.integers(9, size=size)).astype(KINDS[kind]) for i, (kind, size) in enumerate(sizes)
    }
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    path.write_bytes(encode_safetensors(arrays, {}))
    assert_same(read_safetensors(path), arrays)
    assert read_texts(path) == {}


def test_memory_order_and_byte_order_do_not_matter(tmp_path):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    views = {"transposed": np.asfortranarray(array), "every_second": np.repeat(array, 2, 1)[:, ::2]}
    (tmp_path / "x").write_bytes(encode_safetensors({**views, "big": array.astype(">f4")}, {}))
    assert_same(read_safetensors(tmp_path / "x"), {"transposed": array, "every_second": array, "big": array})


def test_the_header_keeps_numbers_aligned(tmp_path):
    data = encode_safetensors({"bytes": np.ones(3, np.uint8), "doubles": np.ones(2)}, {"a": "b"})
    length = int.from_bytes(data[:8], "little")
    assert length % 8 == 0
    assert json.loads(data[8 : 8 + length])["doubles"]["data_offsets"] == [0, 16]


def test_unknown_types_are_refused():
    with pytest.raises(ValueError, match="x is of type complex64, safetensors files hold one of F64, F32"):
        encode_safetensors({"x": np.ones(2, np.complex64)}, {})


HEADER = b'{"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 8,
        len(HEADER).to_bytes(8, "little") + HEADER,  # no numbers
        len(HEADER).to_bytes(8, "little") + HEADER.replace(b"[0, 4]", b"[-4, 0]") + b"1234",
        len(HEADER).to_bytes(8, "little") + HEADER.replace(b"F32", b"C64") + b"1234",
        (2).to_bytes(8, "little") + b"[]",
    ],
)
def test_damaged_files_are_refused(tmp_path, data):
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(ValueError, match="x is not a readable safetensors file"):
        read_safetensors(tmp_path / "x")


def test_texts_that_are_none_are_refused(tmp_path):
    text = b'{"__metadata__": {"about": 3}}'
    (tmp_path / "x").write_bytes(len(text).to_bytes(8, "little") + text)
    with pytest.raises(ValueError, match="its __metadata__ are no texts"):
        read_texts(tmp_path / "x")
