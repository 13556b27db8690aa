import contextlib
import subprocess
import sys

import numpy as np
import pytest

from sirjax.constants import NO_IDENTITY
from sirjax.data import images
from sirjax.data.augment import Augmentation
from sirjax.data.pipeline import Sources, TrainingBatches, batches
from sirjax.data.records import open_records
from sirjax.data.writing import write_records
from tests.data.samples import identity_records, landmark_records, sample


@pytest.fixture
def sources(tmp_path):
    return Sources(identity=identity_records(tmp_path / "id", 5, 4), landmark=landmark_records(tmp_path / "lm", 15))


def take(count, sources, **options):
    with contextlib.closing(batches(sources, **{"batch_size": 8, "seed": 0} | options)) as stream:
        return [next(stream) for _ in range(count)]


def assert_same(left, right):
    for field in ("image", "landmarks", "has_landmarks", "identity"):
        np.testing.assert_array_equal(getattr(left, field), getattr(right, field))


def test_a_batch_holds_what_the_mixture_says(sources):
    source = TrainingBatches(sources, batch_size=8, seed=0)
    batch, plan = source[3], source.mixture.batch(3, 8)
    assert batch.image.dtype == np.uint8
    for row in range(8):
        origin = sources.identity if plan.from_identity[row] else sources.landmark
        item = origin[int(plan.index[row])]
        np.testing.assert_array_equal(batch.image[row], images.decode_image(item.image))
        assert batch.has_landmarks[row] == (not plan.from_identity[row])
        assert batch.identity[row] == item.identity_class
        np.testing.assert_array_equal(batch.landmarks[row], 0 if item.landmarks is None else item.landmarks)


def test_a_resumed_stream_goes_on_where_it_stopped(sources):
    whole = take(6, sources)
    rest = take(3, sources, start_step=3)
    for left, right in zip(whole[3:], rest, strict=True):
        assert_same(left, right)


def test_threads_prefetching_and_the_cache_change_nothing(sources):
    settings = Augmentation(mirror=0.5, rotation=3.0, blur=1.0, occlusion=0.3, brightness=0.1)
    plain = take(8, sources, augmentation=settings, threads=1, prefetch=1, cache_bytes=0)
    busy = take(8, sources, augmentation=settings, threads=4, prefetch=5)
    for left, right in zip(plain, busy, strict=True):
        assert_same(left, right)


def test_an_augmented_sample_looks_different_the_next_time(sources):
    only = Sources(landmark=sources.landmark)
    first, second = take(2, only, batch_size=15, augmentation=Augmentation(shift=3.0))
    order = [np.argsort(batch.image.mean(axis=(1, 2, 3))) for batch in (first, second)]
    assert np.abs(first.landmarks[order[0]] - second.landmarks[order[1]]).max() > 0.1


def test_hosts_load_their_slices_of_the_same_batch(sources):
    whole = take(2, sources)
    for part in range(2):
        for batch, all_of_it in zip(take(2, sources, process_index=part, process_count=2), whole, strict=True):
            np.testing.assert_array_equal(batch.image, all_of_it.image[4 * part : 4 * part + 4])


def test_landmarks_alone_train_without_identities(sources):
    (batch,) = take(1, Sources(landmark=sources.landmark))
    assert batch.has_landmarks.all()
    assert (batch.identity == NO_IDENTITY).all()


def test_people_of_a_landmark_set_are_not_classes(tmp_path, sources):
    both = write_records(tmp_path / "both", [sample(i, person=f"q{i}", landmarks=True) for i in range(4)])
    (batch,) = take(1, Sources(identity=sources.identity, landmark=both))
    assert (batch.identity[batch.has_landmarks] == NO_IDENTITY).all()


def test_identity_samples_with_landmarks_keep_both_labels(tmp_path):
    both = write_records(tmp_path / "both", [sample(i, person=f"q{i}", landmarks=True) for i in range(4)])
    (batch,) = take(1, Sources(identity=both))
    assert batch.has_landmarks.all()
    assert (batch.identity >= 0).all()


def test_a_sample_that_cannot_be_decoded_is_named(tmp_path):
    good, bad = sample(0, quality=90), sample(1, quality=90)
    broken = bad.__class__(name=bad.name, image=bad.image[:40], crop_from_photo=bad.crop_from_photo, identity="b")
    path = tmp_path / "a"
    write_records(path, [good.__class__(good.name, good.image, good.crop_from_photo, identity="a"), broken])
    with pytest.raises(ValueError, match=r"sample 'photos/0001.jpg' \(number 1 of .*\) cannot be used: .* no readable"):
        take(1, Sources(identity=open_records(path)))


def test_threads_find_the_format_of_records_imported(sources):
    # Two threads that import it at once would wait for each other for ever. A new process: here it is imported.
    program = """
import sys
from sirjax.data.pipeline import batches
from sirjax.data.sources import open_sources
sources = open_sources(identity=sys.argv[1])
assert "tensorflow_datasets" not in sys.modules
batches(sources, batch_size=2, seed=0).close()
assert "tensorflow_datasets.proto.tf_example_generated_pb2" in sys.modules
"""
    subprocess.run([sys.executable, "-c", program, str(sources.identity.path)], check=True, timeout=120)


def test_closing_ends_the_stream(sources):
    stream = batches(sources, batch_size=8, seed=0)
    next(stream)
    stream.close()
    with pytest.raises((StopIteration, ValueError, RuntimeError)):
        next(stream)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start_step": -1}, "start_step and num_workers must be at least 0"),
        ({"threads": 0}, "threads at least 1, got 0, 0, 2, 0"),
        ({"num_workers": -1}, "num_workers must be at least 0, .* got 0, -1"),
        ({"batch_size": 9, "process_count": 2}, "a batch of 9 has no part 0 of 2"),
    ],
)
def test_impossible_settings_are_refused_at_once(sources, options, message):
    with pytest.raises(ValueError, match=message):
        batches(sources, **{"batch_size": 8, "seed": 0} | options)


def test_sources_without_the_labels_they_are_for_are_refused(sources):
    with pytest.raises(ValueError, match="has no identity labels: use it as a landmark set"):
        Sources(identity=sources.landmark)
    with pytest.raises(ValueError, match="has no landmarks: use it as an identity set"):
        Sources(landmark=sources.identity)
    assert sources.num_identities == 5
