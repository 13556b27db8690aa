import pytest

from sirjax.data.mixture import Part
from sirjax.data.sources import Sources, folders_of, open_sources
from sirjax.data.writing import write_records
from tests.data.samples import identity_records, landmark_records, sample


@pytest.fixture
def folders(tmp_path):
    identity_records(tmp_path / "web", people=3, photos=2)
    identity_records(tmp_path / "studio", people=2, photos=2)
    landmark_records(tmp_path / "points", 4)
    return tmp_path


def test_one_folder_is_that_set(folders):
    opened = open_sources(identity=f"{folders}/web", landmark=f"{folders}/points")
    assert (len(opened.identity), len(opened.landmark), opened.num_identities) == (6, 4, 3)
    assert opened.identity_parts == opened.landmark_parts == ()


@pytest.mark.parametrize("as_text", [True, False])
def test_several_folders_are_one_set_with_all_their_people(folders, as_text):
    names = [f"{folders}/web", f"{folders}/studio"]
    opened = open_sources(identity=", ".join(names) if as_text else names)
    assert len(opened.identity) == 10
    assert opened.num_identities == 5
    assert opened.identity[6].identity_class == 3  # the studio's first person follows the three of the web
    assert opened.identity_parts == ()


def test_shares_are_written_behind_the_names(folders):
    opened = open_sources(identity=f"{folders}/web=3, {folders}/studio = 0.5")
    assert opened.identity_parts == (Part(6, 3.0), Part(4, 0.5))
    assert len(opened.identity) == 10


def test_commas_and_equal_signs_may_be_part_of_a_name(tmp_path):
    landmark_records(tmp_path / "a,b=2", 4)
    landmark_records(tmp_path / "kind=faces", 3)
    assert len(open_sources(landmark=f"{tmp_path}/a,b=2").landmark) == 4
    assert len(open_sources(landmark=f"{tmp_path}/kind=faces").landmark) == 3


def test_a_set_with_both_labels_is_an_identity_set_with_landmarks(tmp_path):
    write_records(tmp_path / "both", [sample(i, person=f"q{i % 2}", landmarks=True) for i in range(4)])
    opened = open_sources(identity=str(tmp_path / "both"))
    assert opened.num_identities == 2
    assert opened.identity[0].landmarks is not None


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({}, "data.landmark and data.identity are both empty: name at least one folder"),
        ({"identity": "{}/web,{}/web"}, "a folder is named twice in .*: give it a larger share instead"),
        ({"identity": "{}/web=1,{}/studio"}, "only some have a share: give one to each"),
        ({"identity": "{}/points"}, "has no identity labels: use it as a landmark set"),
        ({"landmark": "{}/web"}, "has no landmarks: use it as an identity set"),
        ({"landmark": "{}/nowhere"}, "nowhere is not a folder: make records with"),
    ],
)
def test_names_that_cannot_be_used_are_refused(folders, names, message):
    with pytest.raises(ValueError, match=message):
        open_sources(**{kind: text.replace("{}", str(folders)) for kind, text in names.items()})


def test_sources_without_the_labels_they_are_for_are_refused(folders):
    opened = open_sources(identity=f"{folders}/web", landmark=f"{folders}/points")
    with pytest.raises(ValueError, match="has no identity labels: use it as a landmark set"):
        Sources(identity=opened.landmark)
    with pytest.raises(ValueError, match="has no landmarks: use it as an identity set"):
        Sources(landmark=opened.identity)


def test_folders_are_named_without_their_shares():
    assert folders_of("a=3, b=1") == ["a", "b"]
    assert folders_of(["a", "b"]) == ["a", "b"]
    assert folders_of("") == []
