"""Writes small files of the published formats, all of the same face: the dome of tests/face_models.py."""

import io
import json
import pickle
import struct
import sys
import types

import numpy as np
import scipy.io
import scipy.sparse

from tests.face_models import dome_face_model

MODEL = dome_face_model()
MEAN = np.asarray(MODEL.mean, np.float64)
COUNT = len(MEAN)
TRIANGLES = np.asarray(MODEL.triangles)
SHAPE = np.asarray(MODEL.shape_basis, np.float64).reshape(-1, COUNT, 3)
SHAPE_STD = np.asarray(MODEL.shape_std, np.float64)
EXPRESSION = np.asarray(MODEL.expression_basis, np.float64).reshape(-1, COUNT, 3)
EXPRESSION_STD = np.asarray(MODEL.expression_std, np.float64)
# A vertex for each landmark: the corner of its triangle that weighs most.
CORNER = np.asarray(MODEL.landmark_weights).argmax(axis=1)
LANDMARKS = np.asarray(MODEL.landmark_vertices)[np.arange(68), CORNER]
COLORS = np.linspace(0.1, 0.9, 3 * COUNT).reshape(COUNT, 3)
UV = np.asarray(MODEL.uv, np.float64)
MIRROR = np.asarray(MODEL.mirror_vertices)


def columns(modes):
    """[S, V, 3] -> [3 V, S], x0 y0 z0 x1 ..."""
    return modes.reshape(len(modes), -1).T


def write_bfm2009(folder, **changes):
    """Micrometers; two more vertices in front than the expressions have, one more there than the result."""
    more = np.full((2, 3), 7e3)
    model = {
        "shapeMU": np.concatenate([more, MEAN * 1e3, more[:1]]).reshape(-1, 1),
        "shapePC": columns(np.concatenate([np.zeros((6, 2, 3)), SHAPE, np.zeros((6, 1, 3))], axis=1)),
        "shapeEV": SHAPE_STD.reshape(-1, 1) * 1e3,
        "texMU": np.concatenate([more, COLORS * 255, more[:1]]).reshape(-1, 1),
        "texPC": np.zeros((3 * COUNT + 9, 2)),
    } | changes
    scipy.io.savemat(folder / "01_MorphableModel.mat", model)
    modes = np.concatenate([EXPRESSION, np.zeros((3, 1, 3))], axis=1) * 1e3
    mean = np.ones((COUNT + 1, 3))
    numbers = np.concatenate([mean[None], modes]).astype("<f4").tobytes()
    (folder / "Exp_Pca.bin").write_bytes(struct.pack("<i", 3) + numbers)
    (folder / "std_exp.txt").write_text(" ".join(map(str, EXPRESSION_STD)))
    scipy.io.savemat(folder / "BFM_exp_idx.mat", {"trimIndex": np.arange(3, COUNT + 4).reshape(-1, 1)})
    scipy.io.savemat(folder / "BFM_front_idx.mat", {"idx": np.arange(1, COUNT + 1).reshape(-1, 1)})
    info = {"tri": TRIANGLES + 1, "keypoints": (LANDMARKS + 1).reshape(1, -1)}
    scipy.io.savemat(folder / "facemodel_info.mat", info)
    return folder


def write_bfm_front(folder):
    """Decimeters, modes multiplied by their deviations."""
    path = folder / "BFM_model_front.mat"
    content = {
        "meanshape": MEAN.reshape(1, -1) / 100,
        "meantex": COLORS.reshape(1, -1) * 255,
        "idBase": columns(SHAPE * SHAPE_STD[:, None, None]) / 100,
        "exBase": columns(EXPRESSION * EXPRESSION_STD[:, None, None]) / 100,
        "tri": TRIANGLES + 1,
        "keypoints": (LANDMARKS + 1).reshape(1, -1),
    }
    scipy.io.savemat(path, content)
    return path


def write_3ddfa(folder, drop=(), **changes):
    """Micrometers; the mean is the sum of two."""
    shape = {
        "mu_shape": (MEAN * 1e3 - 5.0).reshape(-1, 1),
        "w": columns(SHAPE),
        "sigma": SHAPE_STD.reshape(-1, 1) * 1e3,
        "tri": TRIANGLES.T + 1,
        "keypoints": (LANDMARKS + 1).reshape(1, -1),
        "tex": COLORS.T * 255,
    } | changes
    expression = {
        "mu_exp": np.full((3 * COUNT, 1), 5.0),
        "w_exp": columns(EXPRESSION) * 1e4,
        "sigma_exp": EXPRESSION_STD.reshape(-1, 1) / 10,
    }
    scipy.io.savemat(folder / "Model_Shape.mat", {key: shape[key] for key in shape if key not in drop})
    scipy.io.savemat(folder / "Model_Exp.mat", {key: expression[key] for key in expression if key not in drop})
    return folder


def write_bfm2017(path, landmarks=None, expressions=True):
    """Statismo's HDF5."""
    import h5py

    parts = {"shape": (MEAN - 1.0, SHAPE, SHAPE_STD)}
    if expressions:
        parts["expression"] = (np.ones_like(MEAN), EXPRESSION, EXPRESSION_STD)
    with h5py.File(path, "w") as file:
        for name, (mean, modes, std) in parts.items():
            file[f"{name}/model/mean"] = mean.ravel().astype(np.float32)
            file[f"{name}/model/pcaBasis"] = columns(modes).astype(np.float32)
            file[f"{name}/model/pcaVariance"] = (std**2).astype(np.float32)
        file["shape/representer/cells"] = TRIANGLES.T
        file["color/model/mean"] = COLORS.ravel()
        if landmarks is not None:
            entries = [{"id": name, "coordinates": MEAN[LANDMARKS[k]].tolist()} for name, k in landmarks.items()]
            file["metadata/landmarks/json"] = np.array([json.dumps(entries)], dtype=h5py.string_dtype())
    return path


def flame_fields():
    """Meters; 300 shape modes, of which those beyond the dome's are tiny."""
    rng = np.random.default_rng(1)
    modes = 1e-5 * rng.normal(size=(300, COUNT, 3))
    modes[: len(SHAPE)] = SHAPE * SHAPE_STD[:, None, None] / 1e3
    modes = np.concatenate([modes, EXPRESSION * EXPRESSION_STD[:, None, None] / 1e3])
    return {
        "v_template": MEAN / 1e3,
        "shapedirs": modes.transpose(1, 2, 0),
        "f": TRIANGLES.astype(np.uint32),
        "J_regressor": np.zeros((5, COUNT)),
        "bs_type": "lrotmin",
    }


def embedding():
    """Rows of the triangles and weights of the dome's landmarks."""
    rows = {tuple(corners): k for k, corners in enumerate(TRIANGLES.tolist())}
    index = np.array([rows[tuple(corners)] for corners in np.asarray(MODEL.landmark_vertices).tolist()])
    return index, np.asarray(MODEL.landmark_weights, np.float64)


def write_flame(folder):
    """The pickle as FLAME 2020 has it: Python 2, chumpy arrays, a sparse matrix."""
    (folder / "generic_model.pkl").write_bytes(pickled_with_chumpy(flame_fields()))
    index, weights = embedding()
    fields = {"full_lmk_faces_idx": index[None], "full_lmk_bary_coords": weights[None]}
    np.save(folder / "landmark_embedding.npy", np.array(fields, dtype=object), allow_pickle=True)
    return folder


def pickled_with_chumpy(fields):
    """A pickle that names chumpy.ch.Ch and scipy.sparse.csc.csc_matrix, though neither need be there to read it."""

    class Ch:
        def __init__(self, x):
            self.x = x

        def __reduce__(self):
            return (_reconstructor, (Ch, object, None), {"x": self.x, "_dirty": True})

    def _reconstructor(cls, base, state):
        return cls.__new__(cls)

    module, copy_reg = types.ModuleType("chumpy.ch"), types.ModuleType("copy_reg")
    module.Ch, copy_reg._reconstructor = Ch, _reconstructor
    Ch.__module__, Ch.__qualname__ = "chumpy.ch", "Ch"
    _reconstructor.__module__, _reconstructor.__qualname__ = "copy_reg", "_reconstructor"
    package = types.ModuleType("chumpy")
    package.ch = module
    sys.modules.update({"chumpy": package, "chumpy.ch": module, "copy_reg": copy_reg})
    try:
        content = dict(fields)
        content["shapedirs"] = Ch(np.asarray(fields["shapedirs"]))
        content["v_template"] = Ch(np.asarray(fields["v_template"]))
        content["J_regressor"] = scipy.sparse.csc_matrix(fields["J_regressor"])
        buffer = io.BytesIO()
        pickle.Pickler(buffer, protocol=2).dump(content)
    finally:
        for name in ("chumpy", "chumpy.ch", "copy_reg"):
            del sys.modules[name]
    return buffer.getvalue()


def write_gnm(folder, drop=()):
    """Meters; the dome is the skin, one more triangle is a tooth. Some landmarks of the right jaw are in reverse."""
    mean = np.concatenate([MEAN, MEAN[:3] + 5.0]) / 1e3
    pad = ((0, 0), (0, 3), (0, 0))
    shape = np.pad(SHAPE * SHAPE_STD[:, None, None], pad) / 1e3
    expression = np.pad(EXPRESSION * EXPRESSION_STD[:, None, None], pad) / 1e3
    triangles = np.concatenate([TRIANGLES, [[COUNT, COUNT + 1, COUNT + 2]]])
    uv = np.concatenate([UV, np.full((3, 2), 0.5)]) * [1, -1] + [0, 1]
    fields = {
        "template_vertex_positions": mean,
        "vertex_identity_basis": np.concatenate([shape[:5], shape[5:], shape[:1]]),
        "identity_names": np.array(
            ["head_000", "head_001", "head_002", "head_003", "head_004", "head_005", "teeth_000"]
        ),
        "expression_basis": expression,
        "expression_names": np.array(["left_eye_region_000", "right_eye_region_000", "lower_face_region_000"]),
        "triangles": triangles,
        "triangle_uvs": uv[triangles],
        "vertex_groups": np.stack([np.arange(COUNT + 3) < COUNT, np.arange(COUNT + 3) >= COUNT]).astype(float),
        "vertex_group_names": np.array(["skin", "teeth"], dtype=object),
        "mirror_indices": np.concatenate([MIRROR, COUNT + np.arange(3)]),
        "version": np.array("3.0"),
    }
    np.savez(folder / "gnm_head.npz", **{key: value for key, value in fields.items() if key not in drop})
    order = [0, 1, 6, 5, 4, 3, 2, *range(7, 68)]
    corners, weights = np.asarray(MODEL.landmark_vertices)[order], np.asarray(MODEL.landmark_weights)[order]
    lines = [" ".join(f"{v} {w:.6f}" for v, w in zip(*row, strict=True)) for row in zip(corners, weights, strict=True)]
    (folder / "head_sparse_68.txt").write_text("\n".join(lines))
    return folder


def write_ict(folder, weight=0.2):
    """Centimeters, quads, two materials; identity and expression meshes; the .json with the landmarks."""
    folder.mkdir(exist_ok=True)
    lens = np.array([[-31.0, 28, 60], [-29, 28, 60], [-30, 30, 60]])
    eyes = np.concatenate(
        [lens, lens * [-1, 1, 1], lens + np.array([0, 0, 1])]
    )  # both eyeballs and a transparent shell
    base = np.concatenate([MEAN, eyes]) / 10
    grid = np.arange(COUNT).reshape(17, 17)
    quads = [(grid[i, j], grid[i + 1, j], grid[i + 1, j + 1], grid[i, j + 1]) for i in range(16) for j in range(16)]

    def write(name, offset):
        vertices = base.copy()
        vertices[:COUNT] += offset / 10
        lines = ["# a comment", *("v {:.9f} {:.9f} {:.9f}".format(*v) for v in vertices)]
        if name == "generic_neutral_mesh":
            lines += [f"vt {u:.9f} {1 - v:.9f}" for u, v in UV] + ["vt 0.5 0.5", "usemtl M_Face"]
            lines += ["f " + " ".join(f"{v + 1}/{v + 1}" for v in quad) for quad in quads]
            triangles = (("M_ScleraRight", (0, 1, 2)), ("M_ScleraLeft", (4, 3, 5)), ("M_EyeLashes", (6, 7, 8)))
            for material, corners in triangles:
                lines += [f"usemtl {material}", "f " + " ".join(f"{COUNT + k + 1}/{COUNT + 1}" for k in corners)]
        (folder / f"{name}.obj").write_text("\n".join(lines) + "\n")

    write("generic_neutral_mesh", np.zeros((COUNT, 3)))
    for k, mode in enumerate(SHAPE * SHAPE_STD[:, None, None]):
        write(f"identity{k:03d}", mode)
    names = ("browDown_L", "jawOpen", "mouthSmile_R")
    for name, mode in zip(names, EXPRESSION * EXPRESSION_STD[:, None, None], strict=True):
        write(name, mode / weight)
    write("unlisted", np.ones((COUNT, 3)))
    indices = {"idx_to_landmark_verts": LANDMARKS.tolist(), "expressions": [*names, "PupilDilate_L"]}
    (folder / "vertex_indices.json").write_text(json.dumps(indices))
    return folder


def write_surrey(folder, weight=(1 / 18) ** 0.5, unlisted=(0, 16, 60)):
    """eos's archives, and its list with iBUG's numbers from 1."""

    def matrix(values):
        values = np.asarray(values, "<f4").reshape(len(values), -1)
        return struct.pack("<ii", *values.shape) + values.T.tobytes()

    shape = [struct.pack("<I", 1), matrix(MEAN.reshape(-1, 1)), matrix(columns(SHAPE)), matrix(SHAPE_STD**2)]
    shape += [struct.pack("<Q", len(TRIANGLES)), TRIANGLES.astype("<i4").tobytes()]
    shape += [struct.pack("<iiiiii", 0, 1, 0, 0, 0, 1), struct.pack("<Q", 0)]
    shape += [struct.pack("<Q", COUNT), UV.astype("<f8").tobytes()]
    (folder / "sfm_shape_3448.bin").write_bytes(b"".join(shape))
    expression = [struct.pack("<Q", 3)]
    for name, mode in zip(("anger", "fear", "joy"), EXPRESSION * EXPRESSION_STD[:, None, None], strict=True):
        expression += [struct.pack("<Q", len(name)), name.encode(), matrix(mode.reshape(-1, 1) / weight)]
    (folder / "expression_blendshapes_3448.bin").write_bytes(b"".join(expression))
    lines = [f"{k + 1} = {vertex}  # a point" for k, vertex in enumerate(LANDMARKS) if k not in unlisted]
    (folder / "ibug_to_sfm.txt").write_text("# Mapping\n[landmark_mappings]\n" + "\n".join(lines))
    return folder
