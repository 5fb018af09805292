"""Tables come back as written, and what is wrong with a file is named and located."""

from __future__ import annotations

import csv
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad.data import load, read_table
from tensorgrad.errors import ArgumentError, DataError, FileFormatError, ShapeError

FLOWERS = "length,width,kind\n5.1,3.5,rose\n4.9,3.0,daisy\n4.7,3.2,rose\n"


@pytest.fixture
def written(tmp_path):
    """Return a function that writes a text and gives its path."""

    def write(text, name="table.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


@pytest.fixture
def saved(tmp_path):
    """Return a function that saves arrays and gives their path."""

    def save(**arrays):
        np.savez(tmp_path / "arrays.npz", **arrays)
        return tmp_path / "arrays.npz"

    return save


# Text: what is read.


def test_features_are_read_in_order(written):
    table = read_table(written(FLOWERS), target="kind")
    np.testing.assert_array_equal(table.x, [[5.1, 3.5], [4.9, 3.0], [4.7, 3.2]])


def test_names_of_classes_are_sorted(written):
    assert read_table(written(FLOWERS), target="kind").labels == ("daisy", "rose")


def test_labels_are_places_among_the_classes(written):
    assert read_table(written(FLOWERS), target="kind").y.tolist() == [1, 0, 1]


def test_columns_leave_the_target_out(written):
    table = read_table(written(FLOWERS), target="kind")
    assert (table.columns, table.target) == (("length", "width"), "kind")


def test_target_may_stand_anywhere(written):
    table = read_table(written("k,a\n1,2.5\n0,3.5\n"), target="k")
    assert (table.x.tolist(), table.y.tolist()) == ([[2.5], [3.5]], [1, 0])


def test_without_target_all_columns_are_features(written):
    table = read_table(written("a,b\n1,2\n"))
    assert (table.x.tolist(), table.y, table.target) == ([[1, 2]], None, None)


def test_integer_classes_are_sorted_by_number(written):
    text = "a,k\n" + "".join(f"0,{k}\n" for k in (10, 9, 2))
    assert read_table(written(text), target="k").labels == ("2", "9", "10")


def test_integers_with_a_point_are_the_same_classes(written):
    table = read_table(written("a,k\n0,1.0\n0,1\n0,2.0\n"), target="k")
    assert (table.labels, table.y.tolist()) == (("1", "2"), [0, 0, 1])


def test_known_labels_keep_their_places(written):
    table = read_table(written(FLOWERS), "kind", labels=["tulip", "rose", "daisy"])
    assert table.y.tolist() == [1, 2, 1]


def test_columns_are_chosen_and_ordered_by_name(written):
    table = read_table(written(FLOWERS), "kind", columns=["width", "length"])
    assert table.x[0].tolist() == [3.5, 5.1]


def test_columns_not_asked_for_may_hold_text(written):
    table = read_table(written(FLOWERS), columns=["width"])
    assert table.x.tolist() == [[3.5], [3.0], [3.2]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_found(written, delimiter):
    table = read_table(written(FLOWERS.replace(",", delimiter)), target="kind")
    assert table.columns == ("length", "width")


def test_delimiter_inside_a_name_does_not_mislead(written):
    text = "weight (kg; dry; net),kind\n1.5,a\n2.5,b\n"
    assert read_table(written(text), target="kind").columns == (
        "weight (kg; dry; net)",
    )


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_is_read(written, end):
    table = read_table(written(FLOWERS.replace("\n", end)), target="kind")
    assert table.x.shape == (3, 2)


def test_byte_order_mark_is_no_part_of_a_name(written):
    table = read_table(written(FLOWERS, encoding="utf-8-sig"), target="kind")
    assert table.columns[0] == "length"


def test_quoted_cells_may_hold_delimiters_quotes_and_lines(written):
    text = 'a,"the ""kind"",\nin short"\n"1.5","x,y"\n2.5,"x,y"\n'
    table = read_table(written(text), target='the "kind",\nin short')
    assert (table.x.tolist(), table.labels) == ([[1.5], [2.5]], ("x,y",))


def test_last_line_needs_no_end(written):
    assert read_table(written("a,b\n1,2")).x.tolist() == [[1, 2]]


def test_blank_lines_are_no_rows(written):
    assert read_table(written("\na,b\n1,2\n\n  \n3,4\n\n")).x.tolist() == [
        [1, 2],
        [3, 4],
    ]


def test_numbers_may_have_spaces_and_exponents(written):
    assert read_table(written("a,b\n 1e3 ,+2.5E-1\n")).x.tolist() == [[1000, 0.25]]


def test_counted_columns_of_a_data_frame_are_names(written):
    assert read_table(written("0,1,2\n5,6,7\n")).columns == ("0", "1", "2")


def test_any_numbers_are_names_when_asked_for(written):
    table = read_table(written("400.5,401.5\n1,2\n"), columns=["401.5"])
    assert table.x.tolist() == [[2]]


@given(
    st.lists(
        st.tuples(
            st.floats(allow_nan=False, allow_infinity=False),
            st.sampled_from(["low", "high, maybe", 'so-"called"', "zwölf"]),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_what_csv_writes_comes_back_bit_for_bit(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("round") / "trip.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("value", "class"), *rows])
    table = read_table(path, target="class")
    values, names = zip(*rows, strict=True)
    assert table.x[:, 0].tobytes() == np.array(values).tobytes()
    assert tuple(table.labels[code] for code in table.y) == names


def test_x_may_be_written(written):
    table = read_table(written(FLOWERS), target="kind")
    table.x[:] = 0
    assert table.x.sum() == 0


# Text: what is refused.


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty: expected a line with column names"),
        ("\n \n", "the file is empty"),
        ("a,b\n", "no rows below the header: expected at least one example"),
        ("5.1,3.5\n4.9,3.0\n", "the first line has only numbers .* column names"),
        ("1,0\n4.9,3.0\n", "the first line has only numbers"),
        ("a,b,a\n1,2,3\n", "the header has 'a' 2 times: expected different names"),
        (",a\n0,1\n", r"column 1 of the header has no name.*index=False"),
        ("a,b\n1,2\n3\n", "line 3 has 1 cells: expected 2"),
        ("a,b\n1,2\n\n3,4,5\n", "line 4 has 3 cells: expected 2"),
        ("a,b\n1,2\n3,x\n", "line 3, column 'b': the cell is 'x': expected a finite"),
        ('a,b\n"1\n",2\n3,x\n', "line 4, column 'b': the cell is 'x'"),
        ("a,b\n1,\n", "line 2, column 'b': the cell is empty"),
        ("a,b\n1,2\n\n,4\n", "line 4, column 'a': the cell is empty"),
        ("a,b\n1,nan\n", "line 2, column 'b': the cell is 'nan'"),
        ("a,b\n-inf,2\n", "line 2, column 'a': the cell is infinite, or too large"),
        ("a,b\n1,1e999\n", "line 2, column 'b': the cell is infinite, or too large"),
        ("a,b\n1,NA\n", "line 2, column 'b': the cell is 'NA'.*Fill in or remove"),
        ("a,b\n1,?\n", "line 2, column 'b': the cell is '[?]'.*Fill in or remove"),
        ("a,b\n1,high\n", "line 2, column 'b': the cell is 'high'.*encode its cat"),
        ("a,b\n1,1_000\n", "line 2, column 'b': the cell is '1_000'"),
        (
            "a;b\n1;2,5\n",
            "line 2, column 'b': the cell is '2,5'.*decimals have a point",
        ),
        ("a\n1\n\n3\n", "line 3, column the only one: the cell is empty"),
    ],
)
def test_broken_text_is_refused_with_its_place(written, text, message):
    with pytest.raises(DataError, match=f"(?s)read_table .*table.csv.*{message}"):
        read_table(written(text))


def test_missing_target_names_the_nearest_column(written):
    with pytest.raises(DataError, match=r"no target column 'Kind'.*mean 'kind'\?"):
        read_table(written(FLOWERS), target="Kind")


def test_missing_target_without_a_near_name_lists_the_columns(written):
    with pytest.raises(DataError, match="There are 'length', 'width', 'kind'"):
        read_table(written(FLOWERS), target="q")


def test_many_columns_are_listed_in_part(written):
    names = [f"c{i}" for i in range(20)]
    text = ",".join(names) + "\n" + ",".join("1" * 20) + "\n"
    with pytest.raises(DataError, match=r"'c7' and 12 more\.$"):
        read_table(written(text), target="?")


def test_missing_features_are_counted(written):
    with pytest.raises(
        DataError, match=r"no column 'lenght', nor 1 other needed.*'length'\?"
    ):
        read_table(written(FLOWERS), columns=["lenght", "width", "height"])


def test_target_among_the_features_is_refused(written):
    with pytest.raises(ArgumentError, match="columns contains the target 'kind'"):
        read_table(written(FLOWERS), "kind", columns=["width", "kind"])


def test_target_alone_is_refused(written):
    with pytest.raises(DataError, match="no column is left beside the target 'kind'"):
        read_table(written("kind\nrose\n"), target="kind")


def test_target_with_fractions_is_refused(written):
    with pytest.raises(
        DataError, match=r"the target has the value 1\.5: expected classes"
    ):
        read_table(written("a,k\n1,1.5\n2,2\n"), target="k")


@pytest.mark.parametrize("cell", ["", "  ", "nan", "NaN", "NA", "n/a", "null", "?"])
def test_target_without_a_class_is_refused(written, cell):
    with pytest.raises(DataError, match="line 3, column 'k': the cell is"):
        read_table(written(f"a,k\n1,x\n2,{cell}\n"), target="k")


def test_none_is_a_class_like_others(written):
    assert read_table(written("a,k\n1,none\n2,some\n"), target="k").labels == (
        "none",
        "some",
    )


def test_unknown_class_is_refused_with_the_nearest(written):
    with pytest.raises(
        DataError, match=r"the class 'rose'.*known. Did you mean 'roses'\?"
    ):
        read_table(written(FLOWERS), "kind", labels=["roses", "daisy"])


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="there is no such path: expected a CSV or NPZ"):
        read_table(tmp_path / "none.csv")


def test_directory_is_refused(tmp_path):
    with pytest.raises(DataError, match="the path is no regular file"):
        read_table(tmp_path)


def test_text_that_is_not_utf_8_is_refused(written):
    with pytest.raises(FileFormatError, match="line 3 is not UTF-8"):
        read_table(written("a,b\n1,2\n3,größe\n4,5\n", encoding="latin-1"))


def test_open_quote_is_refused(written):
    with pytest.raises(FileFormatError, match="the quotes or line ends are damaged"):
        read_table(written('a,b\n1,"2\n3,4\n'))


# NumPy archives.


def test_archive_gives_its_arrays(saved):
    x, y = load("breast_cancer")
    table = read_table(saved(x=x, y=y))
    np.testing.assert_array_equal(table.x, x)
    np.testing.assert_array_equal(table.y, y)


def test_archive_without_classes_has_no_y(saved):
    assert read_table(saved(x=np.ones((2, 3)))).y is None


def test_archive_names_columns_by_number(saved):
    assert read_table(saved(x=np.ones((2, 3)))).columns == ("x0", "x1", "x2")


def test_archive_may_bring_names(saved):
    path = saved(x=np.ones((2, 2)), y=[1, 0], columns=["p", "q"], labels=["no", "yes"])
    table = read_table(path)
    assert (table.columns, table.labels) == (("p", "q"), ("no", "yes"))


def test_archive_keeps_classes_that_do_not_occur(saved):
    table = read_table(saved(x=np.ones((2, 1)), y=[2, 2], labels=["a", "b", "c"]))
    assert (table.y.tolist(), table.labels) == ([2, 2], ("a", "b", "c"))


def test_archive_numbers_classes_of_text(saved):
    table = read_table(saved(x=np.ones((3, 1)), y=["b", "a", "b"]))
    assert (table.y.tolist(), table.labels) == ([1, 0, 1], ("a", "b"))


@pytest.mark.parametrize("y", [[3, 7], [3.0, 7.0], [[3], [7]], np.uint8([3, 7])])
def test_archive_numbers_integer_classes(saved, y):
    table = read_table(saved(x=np.ones((2, 1)), y=y))
    assert (table.y.tolist(), table.labels) == ([0, 1], ("3", "7"))


def test_archive_numbers_truth_values(saved):
    table = read_table(saved(x=np.ones((2, 1)), y=[True, False]))
    assert (table.y.tolist(), table.labels) == ([1, 0], ("0", "1"))


def test_archive_takes_the_target_by_name(saved):
    table = read_table(saved(x=np.ones((2, 1)), kind=["b", "a"]), target="kind")
    assert (table.y.tolist(), table.target) == ([1, 0], "kind")


def test_archive_orders_columns_by_name(saved):
    path = saved(x=[[1, 2]], columns=["p", "q"])
    assert read_table(path, columns=["q", "p"]).x.tolist() == [[2, 1]]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"y": [1]}, "the file has no array 'x'; it has 'y'"),
        ({"x": np.ones(3)}, r"x has shape \(3,\) and dtype float64"),
        ({"x": np.ones((2, 8, 8))}, r"reshape\(len\(x\), -1\)"),
        ({"x": np.ones((0, 3))}, r"x has shape \(0, 3\)"),
        ({"x": [["a"]]}, "x has shape .* dtype <U1"),
        ({"x": np.ones((2, 2)) * 1j}, "dtype complex128"),
        ({"x": [[1, 2], [3, np.nan]]}, "row 1, column 'x1' of x is nan"),
        ({"x": [[1.0]], "y": [0.5]}, r"the target has the value 0\.5"),
        ({"x": [[1.0]], "y": [np.nan]}, "row 0 of y is nan"),
        ({"x": [[1.0], [2.0]], "y": ["a", "nan"]}, "row 1 of y is nan"),
        ({"x": [[1.0], [2.0]], "y": ["a", ""]}, "row 1 of y is empty"),
        (
            {"x": [[1.0]], "y": [1j]},
            "y has dtype complex128: expected integers or text",
        ),
        ({"x": [[1.0]], "columns": ["a", "b"]}, "expected exactly 1 different names"),
        ({"x": [[1.0, 2]], "columns": ["a", "a"]}, "and 1 different names"),
        ({"x": [[1.0]], "y": [2], "labels": ["a", "b"]}, "expected at least 3"),
        ({"x": [[1.0]], "y": [-1], "labels": ["a"]}, "y has the value -1"),
    ],
)
def test_unfit_arrays_are_refused(saved, arrays, message):
    with pytest.raises(DataError, match=f"read_table .*arrays.npz.*{message}"):
        read_table(saved(**arrays))


@pytest.mark.parametrize("y", [[0, 1, 0], np.eye(2)])
def test_classes_that_do_not_fit_the_rows_are_refused(saved, y):
    with pytest.raises(
        ShapeError, match=r"expected shape \(2,\), one class per example"
    ):
        read_table(saved(x=np.ones((2, 1)), y=y))


def test_missing_target_array_is_refused(saved):
    with pytest.raises(DataError, match="no array 'kind'; it has 'x', 'kinds'"):
        read_table(saved(x=np.ones((2, 1)), kinds=[0, 1]), target="kind")


def corrupt(path, data):
    path.write_bytes(data)
    return path


def test_foreign_file_is_refused(tmp_path):
    path = corrupt(tmp_path / "a.npz", b"length,width\n1,2\n")
    with pytest.raises(FileFormatError, match="corrupt, holds objects, or is no NPZ"):
        read_table(path)


def test_empty_archive_is_refused(tmp_path):
    with pytest.raises(FileFormatError, match="is no NPZ"):
        read_table(corrupt(tmp_path / "a.npz", b""))


def test_single_array_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((2, 2)))
    path = (tmp_path / "a.npy").rename(tmp_path / "a.npz")
    with pytest.raises(FileFormatError, match="is no NPZ"):
        read_table(path)


def test_truncated_archive_is_refused(saved):
    path = saved(x=np.ones((50, 50)))
    with pytest.raises(FileFormatError, match="is no NPZ"):
        read_table(corrupt(path, path.read_bytes()[:2000]))


def test_damaged_bytes_are_noticed(saved):
    path = saved(x=np.ones((50, 50)))
    data = bytearray(path.read_bytes())
    data[1000] ^= 0xFF
    with pytest.raises(FileFormatError, match="CRC"):
        read_table(corrupt(path, bytes(data)))


def test_member_that_is_no_array_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", "not an array")
    with pytest.raises(FileFormatError, match="read_table"):
        read_table(tmp_path / "a.npz")


class Bomb:
    """Raises when unpickled, so that a test sees it."""

    def __reduce__(self):
        return (pytest.fail, ("the file was unpickled",))


def test_objects_are_never_unpickled(saved):
    path = saved(x=np.array([Bomb()], dtype=object))
    with pytest.raises(FileFormatError, match="holds objects"):
        read_table(path)


def test_bare_pickle_is_never_loaded(tmp_path):
    path = corrupt(tmp_path / "a.npz", pickle.dumps(Bomb()))
    with pytest.raises(FileFormatError, match="holds objects"):
        read_table(path)
