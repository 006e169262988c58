"""The other MovieLens releases, in small files written character for character as their READMEs describe."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from coresift.corpus import Source, ingest

RATINGS_1M = "1::1193::5::978300760\n1::661::3::978302109\n1::914::3::978301968\n2::1193::4::978298413\n"
MOVIES_1M = """\
661::James and the Giant Peach (1996)::Animation|Children's|Musical
914::My Fair Lady (1964)::Musical|Romance
1193::Misérables, Les (1995)::Drama
"""
USERS_1M = "1::F::1::10::48067\n2::M::56::16::70072\n"
RATINGS_CSV = """\
userId,movieId,rating,timestamp\r
1,296,5.0,1147880044\r
1,306,3.5,1147868817\r
1,307,5.0,1147868828\r
2,296,0.5,1141415820\r
"""
MOVIES_CSV = """\
movieId,title,genres\r
296,Pulp Fiction (1994),Comedy|Crime|Drama|Thriller\r
306,"Three Colors: Red (Trois couleurs: Rouge) (1994)",Drama\r
307,"American President, The (1995)",(no genres listed)\r
"""


def read(path: Path, **options):
    sources = [
        Source(f"raw_{part}", path=str(path), format="movielens", part=part)
        for part in ("interactions", "items", "users")
    ]
    return ingest(*sources, **{"split": "leave_one_out", "min_history": 0, "threads": 1, **options})


@pytest.fixture(params=["folder", "zip"])
def place(request: pytest.FixtureRequest, tmp_path: Path):
    """Put files into a folder, or into a zip archive with the release's folder inside, as GroupLens packs them."""

    def put(release: str, files: dict[str, bytes]) -> Path:
        if request.param == "zip":
            with zipfile.ZipFile(tmp_path / f"{release}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
                for name, content in {"README.txt": b"Summary", **files}.items():
                    archive.writestr(f"{release}/{name}", content)
            return tmp_path / f"{release}.zip"
        (tmp_path / release).mkdir()
        for name, content in files.items():
            (tmp_path / release / name).write_bytes(content)
        return tmp_path / release

    return put


def test_1m(place):
    files = {
        "ratings.dat": RATINGS_1M.encode(),
        "movies.dat": MOVIES_1M.encode("latin-1"),
        "users.dat": USERS_1M.encode(),
    }
    corpus = read(place("ml-1m", files))
    assert corpus.items["title"].to_pylist()[2] == "Misérables, Les (1995)"
    assert corpus.items["categories"].to_pylist()[0] == ["Animation", "Children's", "Musical"]
    assert corpus.interactions["timestamp"].to_pylist()[0] == 978_300_760_000
    assert corpus.interactions["rating"].to_pylist() == [5.0, 3.0, 3.0, 4.0]
    assert corpus.users.drop_columns(["user_id", "raw_id"]).to_pylist() == [
        {"gender": "F", "age": "under 18", "occupation": "K-12 student", "zip_code": "48067"},
        {"gender": "M", "age": "56+", "occupation": "self-employed", "zip_code": "70072"},
    ]


def test_10m_has_no_profiles_and_utf8_titles(place):
    files = {"ratings.dat": b"1::122::5::838985046\n" + RATINGS_1M.encode(), "movies.dat": MOVIES_1M.encode()}
    corpus = read(place("ml-10M100K", files), max_rejected_share=0.5)
    assert corpus.items["title"].to_pylist()[2] == "Misérables, Les (1995)"
    assert corpus.users.column_names == ["user_id", "raw_id"]
    assert corpus.rejected_rows.to_pylist() == [{"source": "raw_interactions", "row": 0, "reason": "unknown item_id"}]


@pytest.mark.parametrize("release", ["ml-20m", "ml-25m", "ml-32m"])
def test_csv_releases(place, release):
    files = {"ratings.csv": RATINGS_CSV.encode(), "movies.csv": MOVIES_CSV.encode(), "tags.csv": b"userId,movieId\r\n"}
    corpus = read(place(release, files))
    assert corpus.items.select(["raw_id", "title", "categories"]).to_pylist() == [
        {"raw_id": "296", "title": "Pulp Fiction (1994)", "categories": ["Comedy", "Crime", "Drama", "Thriller"]},
        {"raw_id": "306", "title": "Three Colors: Red (Trois couleurs: Rouge) (1994)", "categories": ["Drama"]},
        {"raw_id": "307", "title": "American President, The (1995)", "categories": []},
    ]
    assert corpus.interactions["rating"].to_pylist() == [3.5, 5.0, 5.0, 0.5]


def test_a_line_with_another_number_of_fields_is_set_apart(place):
    damaged = RATINGS_1M.replace("1::914", "1::914::3\n1::914").encode() + b"\n\n"
    corpus = read(place("ml-1m", {"ratings.dat": damaged, "movies.dat": MOVIES_1M.encode()}), max_rejected_share=0.3)
    assert corpus.rejected_rows.to_pylist() == [{"source": "raw_interactions", "row": 2, "reason": "unreadable line"}]
    assert corpus.report["rows"]["read"] == 5


def test_a_folder_without_a_release_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"raw_items \(.*\): no MovieLens release is there: it needs u.data"):
        read(tmp_path)


def test_a_damaged_archive_is_named(tmp_path):
    (tmp_path / "ml-1m.zip").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(ValueError, match=r"ml-1m.zip\) cannot be read as a complete movielens file"):
        read(tmp_path / "ml-1m.zip")
