import numpy as np
import pytest

from sirjax.evaluation import shape_error, verification
from sirjax.evaluation.summary import evaluate_identities

NUM_VERTICES = 40


def predictions(rng, noise, identities=40, views=4, modes=6):
    """Predicted and true shapes of people, with as much noise as asked for."""
    identity = np.arange(identities).repeat(views)
    truth = rng.normal(size=(identities, modes))[identity]
    return {
        "shape_whitened": truth + noise * rng.normal(size=truth.shape),
        "shape_std": np.linspace(30, 5, modes),
        "identity": identity,
        "true_shape_whitened": truth,
        "num_vertices": NUM_VERTICES,
    }


def landmarks(rng, samples=160, error=3.0):
    true = rng.uniform(20, 80, size=(samples, 68, 2))
    return {"landmarks_true": true, "landmarks_predicted": true + error, "landmarks_baseline": true + 2 * error}


def test_figures_agree_with_the_functions_that_make_them(rng):
    arguments = predictions(rng, noise=0.3)
    got = evaluate_identities(**arguments, seed=4)
    predicted, truth = (arguments[k] * arguments["shape_std"] for k in ("shape_whitened", "true_shape_whitened"))
    expected = shape_error.coefficient_rmse(predicted, truth, NUM_VERTICES).mean()
    assert got.shape_rmse.mean == pytest.approx(expected)
    assert got.mean_face_rmse == pytest.approx(shape_error.mean_face_rmse(truth, NUM_VERTICES).mean())
    for result, interval in ((got.euclidean, got.euclidean_interval), (got.cosine, got.cosine_interval)):
        assert result.accuracy > 0.9
        assert interval.low <= result.accuracy <= interval.high
    metrics = got.metrics()
    assert metrics["verification_euclidean"] == got.euclidean.accuracy
    assert metrics["verification_cosine_low"] == got.cosine_interval.low
    assert "nme" not in metrics
    assert (got.num_samples, got.num_identities) == (160, 40)


def test_perfect_shapes_are_perfect_and_the_mean_face_is_the_baseline(rng):
    arguments = predictions(rng, noise=0.0)
    perfect = evaluate_identities(**arguments)
    assert (perfect.euclidean.accuracy, perfect.cosine.accuracy, perfect.shape_rmse.mean) == (1, 1, 0)
    mean_face = evaluate_identities(**arguments | {"shape_whitened": np.zeros((160, 6))})
    assert mean_face.shape_rmse.mean == pytest.approx(mean_face.mean_face_rmse)
    assert mean_face.euclidean.accuracy == 0.5
    assert mean_face.distinctiveness.ratio == 1


def test_distance_is_measured_in_millimeters(rng):
    # Noise in a mode of tiny standard deviation hardly matters for faces, but would drown whitened coefficients.
    arguments = predictions(rng, noise=0.0)
    arguments["shape_std"] = np.array([50.0, 50, 50, 50, 50, 0.01])
    arguments["shape_whitened"][:, 5] += 100 * rng.normal(size=160)
    assert evaluate_identities(**arguments).euclidean.accuracy == 1


def test_vertices_give_the_figures_of_an_orthonormal_basis_and_aligned_ones(rng):
    arguments = predictions(rng, noise=0.5)
    basis = np.linalg.qr(rng.normal(size=(3 * NUM_VERTICES, 6)))[0].T
    short = evaluate_identities(**arguments)
    long = evaluate_identities(**arguments, mean_shape=60 * rng.normal(size=(NUM_VERTICES, 3)), shape_basis=basis)
    assert long.shape_rmse.mean == pytest.approx(short.shape_rmse.mean)
    assert long.mean_face_rmse == pytest.approx(short.mean_face_rmse)
    assert long.aligned_rmse.mean < long.shape_rmse.mean
    assert long.mean_face_aligned_rmse < long.mean_face_rmse
    assert short.aligned_rmse is None
    assert short.face_rmse is None


def test_the_face_proper_is_measured_apart_from_the_rest_of_the_mesh(rng):
    arguments = predictions(rng, noise=0.5)
    mean = np.zeros((NUM_VERTICES, 3))
    mean[NUM_VERTICES // 2 :, 2] = -200  # the second half lies far behind the nose tip
    basis = np.zeros((6, NUM_VERTICES, 3))
    basis[:3, : NUM_VERTICES // 2] = rng.normal(size=(3, NUM_VERTICES // 2, 3))
    basis[3:, NUM_VERTICES // 2 :] = rng.normal(size=(3, NUM_VERTICES - NUM_VERTICES // 2, 3))
    wrong_behind = arguments["true_shape_whitened"] + [0, 0, 0, 1, 1, 1]
    got = evaluate_identities(
        **arguments | {"shape_whitened": wrong_behind}, mean_shape=mean, shape_basis=basis.reshape(6, -1)
    )
    assert got.shape_rmse.mean > 0.1
    assert got.face_rmse.mean == pytest.approx(0, abs=1e-9)
    assert got.mean_face_face_rmse > 0.1
    assert "neutral shape RMSE, 95 mm around the nose tip" in got.table()


def test_landmarks_are_compared_with_a_baseline_and_by_yaw(rng):
    got = evaluate_identities(**predictions(rng, noise=0.3), **landmarks(rng), yaw=np.linspace(-1.5, 1.5, 160))
    assert got.baseline_nme == pytest.approx(2 * got.nme.mean)
    assert sum(b.count for b in got.nme_by_yaw) == 160
    metrics = got.metrics()
    assert metrics["nme"] == got.nme.mean
    assert metrics["nme_low"] <= metrics["nme"] <= metrics["nme_high"]
    assert metrics["baseline_nme"] == got.baseline_nme


def test_report_names_every_figure_and_its_baseline(rng):
    text = evaluate_identities(**predictions(rng, noise=0.3), **landmarks(rng)).table()
    assert text.startswith("identities-v1: 160 samples of 40 identities, ")
    for name in ("accuracy, Euclidean", "accuracy, cosine", "neutral shape RMSE", "landmark NME", "between / within"):
        assert name in text
    for baseline in ("chance", "mean face", "prior", "baseline landmarks"):
        assert f"({baseline})" in text
    cells = {line.count("|") for line in text.splitlines() if line.startswith("|")}
    assert cells == {5}  # no cell contains a separator


def test_same_seed_gives_the_same_report_and_landmarks_do_not_change_the_rest(rng):
    arguments = predictions(rng, noise=0.6)
    first, second = evaluate_identities(**arguments), evaluate_identities(**arguments, **landmarks(rng))
    assert first.euclidean_interval == second.euclidean_interval
    assert first.shape_rmse == second.shape_rmse
    assert evaluate_identities(**arguments).table() == first.table()
    assert evaluate_identities(**arguments, seed=1).table() != first.table()


def test_pairs_are_those_of_the_seed(rng):
    arguments = predictions(rng, noise=0.6)
    pairs = verification.make_pairs(arguments["identity"], np.random.default_rng(9).spawn(1)[0], 200, 5)
    predicted = arguments["shape_whitened"] * arguments["shape_std"]
    got = evaluate_identities(**arguments, num_pairs=200, num_folds=5, seed=9)
    assert got.euclidean.accuracy == verification.verify_descriptors(predicted, pairs).accuracy


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"true_shape_whitened": np.ones((3, 6))}, r"need predicted and true shapes \[160, 6\] for 160 labels"),
        ({"landmarks_true": np.ones((160, 68, 2))}, "landmarks_predicted and landmarks_true must be given together"),
        ({"shape_basis": np.ones((6, 120))}, "mean_shape and shape_basis must be given together"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(rng, change, message):
    with pytest.raises(ValueError, match=message):
        evaluate_identities(**predictions(rng, noise=0.1) | change)
