import numpy as np
import pytest

from sirjax.constants import NO_IDENTITY
from sirjax.evaluation.distinctiveness import distinctiveness


def test_spreads_match_a_loop_over_all_pairs(rng):
    whitened, std = rng.normal(size=(25, 4)), np.array([30.0, 20.0, 5.0, 1.0])
    identity = rng.integers(-1, 5, size=25)
    intra, inter = [], []
    for i in range(25):
        for j in range(i):
            if NO_IDENTITY in (identity[i], identity[j]):
                continue
            square = np.sum(((whitened[i] - whitened[j]) * std) ** 2) / 100
            (intra if identity[i] == identity[j] else inter).append(square)
    got = distinctiveness(whitened, std, identity, num_vertices=100)
    assert got.intra_rmse == pytest.approx(np.sqrt(np.mean(intra)))
    assert got.inter_rmse == pytest.approx(np.sqrt(np.mean(inter)))
    assert got.ratio == pytest.approx(got.inter_rmse / got.intra_rmse)


def test_samples_of_the_prior_have_the_ideal_length_and_unit_variance(rng):
    got = distinctiveness(rng.normal(size=(2000, 199)), np.ones(199), np.arange(2000) // 2, 1000)
    assert got.ideal_length == pytest.approx(14.107, abs=1e-3)  # sqrt(199)
    assert got.relative_length == pytest.approx(1, rel=0.01)
    np.testing.assert_allclose(got.variance, 1, atol=0.2)
    assert got.ratio == pytest.approx(1, rel=0.02)  # labels that mean nothing


def test_worked_example():
    # One mode of 3 mm, 9 vertices: |alpha_i - alpha_j| / 3 = |a_i - a_j|. Within: 2 and 2. Between: 10, 8, 12, 10.
    whitened, identity = np.array([[0.0], [2.0], [10.0], [12.0]]), np.array([0, 0, 1, 1])
    got = distinctiveness(whitened, np.array([3.0]), identity, num_vertices=9)
    assert got.mean_length == 6
    assert got.intra_rmse == pytest.approx(2)
    assert got.inter_rmse == pytest.approx(np.sqrt((100 + 64 + 144 + 100) / 4))


def test_one_shape_per_identity_is_infinitely_distinct_and_one_for_all_not_at_all():
    identity = np.array([0, 0, 1, 1])
    own = distinctiveness(np.array([[0.0], [0.0], [1.0], [1.0]]), np.ones(1), identity, 1)
    assert (own.intra_rmse, own.ratio) == (0, np.inf)
    everyone = distinctiveness(np.zeros((4, 1)), np.ones(1), identity, 1)
    assert (everyone.inter_rmse, everyone.ratio) == (0, 1)


@pytest.mark.parametrize("identity", [[0, 0, 0], [0, 1, 2], [NO_IDENTITY] * 3])
def test_labels_without_both_kinds_of_pairs_are_refused(identity):
    with pytest.raises(ValueError, match="needs two identities, one of them with two samples; got"):
        distinctiveness(np.ones((3, 2)), np.ones(2), np.array(identity), 1)
