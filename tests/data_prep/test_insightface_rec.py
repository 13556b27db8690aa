"""insightface packs, written here in the published layout."""

import argparse
import pickle

import numpy as np
import pytest

from data_prep import insightface_rec
from data_prep.insightface_rec import InsightFacePack
from data_prep.source import Rejected
from sirjax.data import alignment
from tests.data_prep.recordio_writer import packed, write_pack

# Images 1 to 5 of people 7, 7, 9, 9, 9; records 6 and 7 are the people.
LABELS = {1: 7, 2: 7, 3: 9, 4: 9, 5: 9}


def published(labels=LABELS):
    images = [(number, packed(float(label), number, b"image %d" % number)) for number, label in labels.items()]
    people = [(6, packed([1.0, 3.0], 6)), (7, packed([3.0, 6.0], 7))]
    return [(0, packed([6.0, 8.0], 0)), *images, *people]


EXPECTED = [(f"{label:07d}/{number:09d}.jpg", f"{label:07d}") for number, label in LABELS.items()]


def test_the_images_of_every_person_are_listed(tmp_path):
    write_pack(tmp_path, published())
    source = pickle.loads(pickle.dumps(InsightFacePack(tmp_path)))
    assert [(entry.name, entry.identity) for entry in source.entries()] == EXPECTED
    assert [source.read(entry).data for entry in source.entries()] == [b"image %d" % i for i in LABELS]


def test_packs_without_people_are_read_by_the_label_of_each_image(tmp_path):
    write_pack(tmp_path, [(n, packed([float(label), 0.0], n, b"image %d" % n)) for n, label in LABELS.items()])
    assert [(entry.name, entry.identity) for entry in InsightFacePack(tmp_path).entries()] == EXPECTED


def test_packs_too_large_for_the_headers_floats_are_read_by_the_label_of_each_image(tmp_path, monkeypatch):
    write_pack(tmp_path, published())
    monkeypatch.setattr(insightface_rec, "_EXACT", 7)
    assert [(entry.name, entry.identity) for entry in InsightFacePack(tmp_path).entries()] == EXPECTED


def test_aligned_faces_are_cut_eight_pixels_from_the_left_without_warping(tmp_path, rng):
    write_pack(tmp_path, published())
    source = InsightFacePack(tmp_path / "train.rec")
    points = source.read(source.entries()[0]).five_points
    matrix = alignment.crop_from_photo(points)
    np.testing.assert_allclose(matrix, [[1, 0, -8], [0, 1, 0]], atol=1e-12)
    face = rng.integers(0, 255, (112, 112, 3), np.uint8)
    np.testing.assert_array_equal(alignment.warp(face, matrix), face[:, 8:104])


def test_faces_of_other_sizes_are_left_to_the_detector(tmp_path):
    write_pack(tmp_path, published(), size="3,250,250")
    source = InsightFacePack(tmp_path)
    assert source.read(source.entries()[0]).five_points is None
    (tmp_path / "property").unlink()
    assert InsightFacePack(tmp_path).read(source.entries()[0]).five_points is None


def test_conflicting_labels_and_empty_records_are_rejected(tmp_path):
    write_pack(tmp_path, published(LABELS | {2: 8}))  # its person's record says 7
    source = InsightFacePack(tmp_path)
    with pytest.raises(Rejected, match=r"^the record is labelled \[8.0\], the pack's list of people says 7$"):
        source.read(source.entries()[1])
    records = published()
    records[2] = (2, packed(7.0, 2))
    write_pack(tmp_path, records)
    source = InsightFacePack(tmp_path)
    with pytest.raises(Rejected, match="^the record holds no image$"):
        source.read(source.entries()[1])


def test_a_cut_pack_gives_its_first_images_and_rejects_the_rest(tmp_path):
    write_pack(tmp_path, [(n, packed(float(label), n, bytes(400))) for n, label in LABELS.items()])
    source = InsightFacePack(tmp_path)
    entries = source.entries()
    content = (tmp_path / "train.rec").read_bytes()
    (tmp_path / "train.rec").write_bytes(content[: len(content) - 100])
    assert InsightFacePack(tmp_path).read(entries[0]).data == bytes(400)
    with pytest.raises(Rejected, match="^train.rec ends inside the record at byte 1728: copy or download it again$"):
        InsightFacePack(tmp_path).read(entries[-1])


def test_wrong_folders_and_files_are_refused(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="train.rec is missing: a pack holds train.rec and .idx; get one from https"
    ):
        InsightFacePack(tmp_path)
    write_pack(tmp_path, published(), size="10572 112 112")
    with pytest.raises(ValueError, match="property is '10572 112 112', not people, height and width like 10572,"):
        InsightFacePack(tmp_path)
    write_pack(tmp_path, [])
    with pytest.raises(ValueError, match="train.rec holds no images: get the pack again from https://github.com"):
        InsightFacePack(tmp_path).entries()
    write_pack(tmp_path, [(0, packed([2.0, 3.0], 0)), (1, packed(1.0, 1, b"i")), (2, packed([1.0, 9.0], 2))])
    with pytest.raises(ValueError, match="train.idx does not list images 1 to 8 of record 2"):
        InsightFacePack(tmp_path).entries()
    write_pack(tmp_path, [(0, packed([2.0, 3.0], 0)), (1, packed(1.0, 1, b"i"))])
    with pytest.raises(ValueError, match="record 2 of .* is no person's range of images"):
        InsightFacePack(tmp_path).entries()
    write_pack(tmp_path, [(1, packed(1.5, 1, b"i"))])
    with pytest.raises(ValueError, match="record 1 of .* has the label 1.5, not a person's number"):
        InsightFacePack(tmp_path).entries()


def test_the_command_line_reaches_the_source(tmp_path):
    write_pack(tmp_path, published())
    for suffix in (".rec", ".idx"):
        (tmp_path / f"train{suffix}").rename(tmp_path / f"val{suffix}")
    parser = argparse.ArgumentParser()
    parser.add_argument("raw")
    insightface_rec.add_arguments(parser)
    source = insightface_rec.from_arguments(parser.parse_args([str(tmp_path), "--stem", "val"]))
    assert len(source.entries()) == 5
