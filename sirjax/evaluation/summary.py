"""Everything that can be said about shapes predicted for people whose true shape is known: one call, one table."""

import dataclasses

import numpy as np
from jaxtyping import Float, Int

from sirjax.evaluation import distinctiveness, landmark_error, shape_error, verification
from sirjax.evaluation.bootstrap import Interval, bootstrap_mean, bootstrap_pair_mean
from sirjax.evaluation.recognition import verification_rows
from sirjax.evaluation.report import Row, format_table

_CHUNK = 32  # faces whose vertices are held at a time


@dataclasses.dataclass(frozen=True)
class EvaluationResult:
    """Figures of one set of predictions. Intervals are 95 % bootstrap intervals over identities."""

    protocol: str  # what was done, in one line: figures of different protocols must not be compared
    num_samples: int
    num_identities: int
    euclidean: verification.VerificationResult  # on millimeter coefficients, the main figure
    euclidean_interval: Interval  # of the accuracy
    cosine: verification.VerificationResult
    cosine_interval: Interval
    shape_rmse: Interval  # mm, neutral face, as it lies
    mean_face_rmse: float  # mm, the same of the mean face
    face_rmse: Interval | None  # mm, as it lies, of the face proper: see `shape_error.face_region`
    mean_face_face_rmse: float | None
    aligned_rmse: Interval | None  # mm, whole mesh, after the best similarity
    mean_face_aligned_rmse: float | None
    nme: Interval | None  # landmark error / face size, a fraction
    baseline_nme: float | None
    nme_by_yaw: list[landmark_error.YawBin] | None
    distinctiveness: distinctiveness.Distinctiveness

    def rows(self) -> list[Row]:
        """The figures as rows of a report."""
        spread = self.distinctiveness
        rows = [
            *verification_rows("Euclidean", self.euclidean, self.euclidean_interval),
            *verification_rows("cosine", self.cosine, self.cosine_interval),
            _interval_row("neutral shape RMSE", self.shape_rmse, "mm", self.mean_face_rmse, "mean face"),
        ]
        if self.face_rmse is not None:
            name = f"neutral shape RMSE, {shape_error.FACE_RADIUS:.0f} mm around the nose tip"
            rows.append(_interval_row(name, self.face_rmse, "mm", self.mean_face_face_rmse, "mean face"))
        if self.aligned_rmse is not None:
            name = "neutral shape RMSE, similarity-aligned"
            rows.append(_interval_row(name, self.aligned_rmse, "mm", self.mean_face_aligned_rmse, "mean face"))
        if self.nme is not None:
            rows.append(_interval_row("landmark NME", self.nme, "%", self.baseline_nme, "baseline landmarks"))
        for yaw_bin in self.nme_by_yaw or []:
            if yaw_bin.count:
                name = f"landmark NME, yaw {yaw_bin.low:.0f}-{yaw_bin.high:.0f} deg, {yaw_bin.count} samples"
                rows.append(Row(name, yaw_bin.mean, "%"))
        return [
            *rows,
            Row("shape length, whitened", spread.mean_length, baseline=spread.ideal_length, baseline_name="prior"),
            Row("variance per mode, whitened", float(spread.variance.mean()), baseline=1.0, baseline_name="prior"),
            Row("RMSE within identities", spread.intra_rmse, "mm"),
            Row("RMSE between identities", spread.inter_rmse, "mm"),
            Row("between / within", spread.ratio, baseline=1.0, baseline_name="no identity"),
        ]

    def table(self) -> str:
        """A Markdown report: the protocol and the table of `rows`."""
        return f"{self.protocol}\n\n{format_table(self.rows())}"

    def metrics(self) -> dict[str, float]:
        """The figures by name, for logs and files; `_low` and `_high` are the ends of the interval."""
        values = {}
        for name, result in (("euclidean", self.euclidean), ("cosine", self.cosine)):
            values[f"verification_{name}"] = result.accuracy
            values[f"auc_{name}"] = result.auc
            values[f"eer_{name}"] = result.eer
            values[f"tpr_at_far_{name}"] = result.tpr_at_far
        intervals = {
            "verification_euclidean": self.euclidean_interval,
            "verification_cosine": self.cosine_interval,
            "shape_rmse_mm": self.shape_rmse,
            "face_rmse_mm": self.face_rmse,
            "aligned_rmse_mm": self.aligned_rmse,
            "nme": self.nme,
        }
        for name, interval in intervals.items():
            if interval is not None:
                values.setdefault(name, interval.mean)
                values |= {f"{name}_low": interval.low, f"{name}_high": interval.high}
        baselines = {
            "mean_face_rmse_mm": self.mean_face_rmse,
            "mean_face_face_rmse_mm": self.mean_face_face_rmse,
            "mean_face_aligned_rmse_mm": self.mean_face_aligned_rmse,
            "baseline_nme": self.baseline_nme,
        }
        values |= {name: value for name, value in baselines.items() if value is not None}
        return values | {
            "shape_relative_length": self.distinctiveness.relative_length,
            "distinctiveness_ratio": self.distinctiveness.ratio,
        }


def evaluate_identities(
    shape_whitened: Float[np.ndarray, "N S"],
    shape_std: Float[np.ndarray, " S"],
    identity: Int[np.ndarray, " N"],
    true_shape_whitened: Float[np.ndarray, "N S"],
    num_vertices: int,
    *,
    landmarks_predicted: Float[np.ndarray, "N 68 2"] | None = None,
    landmarks_true: Float[np.ndarray, "N 68 2"] | None = None,
    landmarks_baseline: Float[np.ndarray, "N 68 2"] | None = None,
    yaw: Float[np.ndarray, " N"] | None = None,
    mean_shape: Float[np.ndarray, "V 3"] | None = None,
    shape_basis: Float[np.ndarray, "S V3"] | None = None,
    num_pairs: int = 6000,
    num_folds: int = 10,
    seed: int = 0,
) -> EvaluationResult:
    """Evaluates shapes predicted for samples of known identity and known true shape.

    Identity verification by Euclidean distance of millimeter coefficients and by cosine; RMSE of the neutral shape
    against the truth, beside that of the mean face; landmark error; distinctiveness.

    Args:
      shape_whitened: predicted shape coefficients, in standard deviations.
      shape_std: standard deviations in millimeters.
      identity: label of each sample, every sample has one; better not seen in training.
      true_shape_whitened: true shape coefficients.
      num_vertices: V of the face model. Unless `shape_basis` is given, the basis is taken as orthonormal.
      landmarks_predicted: projected landmarks, pixels; given together with `landmarks_true`.
      landmarks_true: landmark labels, pixels.
      landmarks_baseline: landmarks of a trivial method, pixels, such as the mean face in the template's place.
      yaw: of each sample, radians; given, the landmark error is also split by it.
      mean_shape: vertices of the mean face, mm; given together with `shape_basis`.
      shape_basis: shape modes; given, shape errors are measured on vertices, also after similarity alignment.
      num_pairs: pairs to verify, see `verification.make_pairs`.
      num_folds: folds of the cross-validation.
      seed: of pairs and bootstrap.

    Raises:
      ValueError: if arrays that belong together differ in length or are given alone.
    """
    predicted, truth = (np.asarray(a, np.float64) for a in (shape_whitened, true_shape_whitened))
    identity, std = np.asarray(identity), np.asarray(shape_std, np.float64)
    if not predicted.shape == truth.shape == (len(identity), len(std)):
        raise ValueError(
            f"need predicted and true shapes [{len(identity)}, {len(std)}] for {len(identity)} labels and {len(std)} "
            f"modes, got {list(predicted.shape)} and {list(truth.shape)}"
        )
    if (landmarks_predicted is None) != (landmarks_true is None):
        raise ValueError("landmarks_predicted and landmarks_true must be given together")
    if (mean_shape is None) != (shape_basis is None):
        raise ValueError("mean_shape and shape_basis must be given together")
    predicted_mm, truth_mm = predicted * std, truth * std

    # One stream each, so that leaving one figure out does not change the others.
    pair_rng, *interval_rngs = np.random.default_rng(seed).spawn(7)
    pairs = verification.make_pairs(identity, pair_rng, num_pairs, num_folds)
    verified, accuracy = {}, {}
    for distance, rng in zip(verification.DISTANCES, interval_rngs[:2], strict=True):
        verified[distance] = verification.verify_descriptors(predicted_mm, pairs, distance)
        accuracy[distance] = bootstrap_pair_mean(
            verified[distance].correct.astype(np.float64), identity[pairs.first], identity[pairs.second], rng
        )

    in_face, mean_face_in_face, aligned, mean_face_aligned = None, None, None, None
    if mean_shape is not None and shape_basis is not None:
        errors = _vertex_errors(predicted_mm, truth_mm, mean_shape, shape_basis)
        of_mean_face = _vertex_errors(np.zeros_like(truth_mm), truth_mm, mean_shape, shape_basis)
        rmse, mean_face = errors.whole, of_mean_face.whole
        in_face = bootstrap_mean(errors.face, identity, interval_rngs[5])
        aligned = bootstrap_mean(errors.aligned, identity, interval_rngs[3])
        mean_face_in_face, mean_face_aligned = float(of_mean_face.face.mean()), float(of_mean_face.aligned.mean())
    else:
        rmse = shape_error.coefficient_rmse(predicted_mm, truth_mm, num_vertices)
        mean_face = shape_error.mean_face_rmse(truth_mm, num_vertices)

    nme, baseline_nme, bins = None, None, None
    if landmarks_predicted is not None and landmarks_true is not None:
        errors = landmark_error.nme(landmarks_predicted, landmarks_true)
        nme = bootstrap_mean(errors, identity, interval_rngs[4])
        bins = landmark_error.by_yaw(errors, yaw)[0] if yaw is not None else None
        if landmarks_baseline is not None:
            baseline_nme = float(landmark_error.nme(landmarks_baseline, landmarks_true).mean())

    num_identities = len(np.unique(identity))
    return EvaluationResult(
        protocol=(
            f"identities-v1: {len(identity)} samples of {num_identities} identities, {len(pairs.same)} pairs in "
            f"{num_folds} identity-disjoint folds, seed {seed}, {num_vertices} vertices"
        ),
        num_samples=len(identity),
        num_identities=num_identities,
        euclidean=verified["euclidean"],
        euclidean_interval=accuracy["euclidean"],
        cosine=verified["cosine"],
        cosine_interval=accuracy["cosine"],
        shape_rmse=bootstrap_mean(rmse, identity, interval_rngs[2]),
        mean_face_rmse=float(mean_face.mean()),
        face_rmse=in_face,
        mean_face_face_rmse=mean_face_in_face,
        aligned_rmse=aligned,
        mean_face_aligned_rmse=mean_face_aligned,
        nme=nme,
        baseline_nme=baseline_nme,
        nme_by_yaw=bins,
        distinctiveness=distinctiveness.distinctiveness(predicted, std, identity, num_vertices),
    )


@dataclasses.dataclass(frozen=True)
class _VertexErrors:
    """RMSE of each sample, mm."""

    whole: np.ndarray  # [N] as the faces lie
    face: np.ndarray  # [N] the same, of the face proper
    aligned: np.ndarray  # [N] whole mesh, after alignment


def _vertex_errors(
    predicted_mm: np.ndarray, truth_mm: np.ndarray, mean_shape: np.ndarray, shape_basis: np.ndarray
) -> _VertexErrors:
    mean_shape, shape_basis = np.asarray(mean_shape, np.float64), np.asarray(shape_basis, np.float64)
    region = shape_error.face_region(mean_shape)
    whole, face, aligned = [], [], []
    for start in range(0, len(predicted_mm), _CHUNK):
        predicted, truth = (
            shape_error.shape_vertices(coefficients[start : start + _CHUNK], mean_shape, shape_basis)
            for coefficients in (predicted_mm, truth_mm)
        )
        whole.append(shape_error.vertex_rmse(predicted, truth))
        face.append(shape_error.vertex_rmse(predicted[:, region], truth[:, region]))
        aligned.append(shape_error.aligned_vertex_rmse(predicted, truth))
    return _VertexErrors(np.concatenate(whole), np.concatenate(face), np.concatenate(aligned))


def _interval_row(name: str, interval: Interval, unit: str, baseline: float | None, baseline_name: str) -> Row:
    return Row(name, interval.mean, unit, baseline, baseline_name, interval.low, interval.high)
