import numpy as np
import pytest
import trimesh

from sirjax.cli.mesh_files import check_size, read_landmarks, read_mesh, unit_mm
from tests.scans import face, write_obj


@pytest.mark.parametrize("suffix", [".obj", ".ply", ".off", ".npz"])
def test_meshes_come_back_as_they_were_stored(tmp_path, suffix):
    vertices, triangles, _ = face(9)
    vertices = np.concatenate([vertices, vertices[:1]])  # a vertex stored twice stays twice
    path = tmp_path / f"mesh{suffix}"
    if suffix == ".npz":
        np.savez(path, vertices=vertices, triangles=triangles)
    elif suffix == ".obj":
        write_obj(path, vertices, triangles)
    else:
        trimesh.Trimesh(vertices, triangles, process=False).export(path)
    read, faces = read_mesh(path, 10.0)
    np.testing.assert_allclose(read, 10 * vertices, rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(faces, triangles)


def test_what_is_no_mesh_is_refused_by_name(tmp_path):
    (tmp_path / "broken.obj").write_text("v 1 2\nf 1 2 9\n")
    (tmp_path / "points.obj").write_text("v 1 2 3\nv 2 3 4\n")
    (tmp_path / "scan.wrl").write_text("#VRML")
    np.savez(tmp_path / "objects.npz", vertices=np.array([{}]), triangles=np.zeros((1, 3)))
    for name, message in (
        ("broken.obj", "broken.obj cannot be read as a mesh"),
        ("points.obj", "triangles: it is no surface|cannot be read as a mesh"),
        ("scan.wrl", "scan.wrl is no mesh that can be read; give one of .obj, .ply"),
        ("objects.npz", r"needs the arrays vertices \[V, 3\] and triangles \[T, 3\] .*pickle"),
    ):
        with pytest.raises(ValueError, match=message):
            read_mesh(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="gone.ply is missing"):
        read_mesh(tmp_path / "gone.ply")


@pytest.mark.parametrize(
    ("factor", "unit", "remedy"),
    [
        (0.001, 1.0, "is 0.16 mm across, where a face has 100 to 400: give --unit m"),
        (0.1, 1.0, "is 16 mm across, where a face has 100 to 400: give --unit cm"),
        (100.0, 1.0, "is 1.6e.04 mm across, where a face has 100 to 400: give --unit 0.01"),
        (1000.0, 1000.0, "is 1.6e.05 mm across, where a face has 100 to 400: give --unit mm"),
        (0.002 / 160, 1.0, "give --unit with the millimeters that its unit has"),
    ],
)
def test_a_face_in_another_unit_is_named_with_the_remedy(factor, unit, remedy):
    with pytest.raises(ValueError, match=f"face.obj {remedy}" if remedy.startswith("is") else remedy):
        check_size("face.obj", factor * face(9)[0], "--unit", unit)
    check_size("face.obj", face(9)[0], "--unit", 1.0)


def test_landmarks_are_read_from_text_arrays_and_picked_points(tmp_path):
    points = np.arange(9.0).reshape(3, 3)
    np.save(tmp_path / "a.npy", points)
    np.savetxt(tmp_path / "b.txt", points)
    np.savetxt(tmp_path / "c.csv", points, delimiter=",")
    picked = "".join(f'<point z="{z}" x="{x}" active="1" y="{y}" name="{k}"/>' for k, (x, y, z) in enumerate(points))
    (tmp_path / "d.pp").write_text(f"<!DOCTYPE PickedPoints>\n<PickedPoints>{picked}</PickedPoints>")
    for name in ("a.npy", "b.txt", "c.csv", "d.pp"):
        np.testing.assert_array_equal(read_landmarks(tmp_path / name, 10.0), 10 * points)
    (tmp_path / "words.txt").write_text("nose tip\n")
    np.savetxt(tmp_path / "flat.txt", points[:, :2])
    with pytest.raises(ValueError, match="words.txt holds no landmarks .*: give a line of x y z for each point"):
        read_landmarks(tmp_path / "words.txt")
    with pytest.raises(ValueError, match=r"flat.txt must hold finite points \[L, 3\], got \[3, 2\]"):
        read_landmarks(tmp_path / "flat.txt")


def test_units_are_names_or_positive_numbers():
    assert [unit_mm(text) for text in ("mm", "cm", "m", "25.4")] == [1.0, 10.0, 1000.0, 25.4]
    for text in ("inch", "0", "-1", "nan", "inf"):
        with pytest.raises(ValueError, match=f"a unit is mm, cm, m or how many millimeters it has .* got '{text}'"):
            unit_mm(text)
