"""Files of somebody's as tables: what is recognised, what is refused with one sentence, and what a download
holds."""

import csv
import io
import random
import time

import pytest

from pages.parts.own_points import drawn_as_csv
from pages.parts.tables import to_csv
from toytrain import ToytrainError
from toytrain.table import MAX_BYTES, Choice, guess, number, read_table, take

PLAIN = "x1,x2,label\n1.5,2,0\n2,-3.25,1\n-1,0.5,0\n"
POINTS = ((1.5, 2.0, 0), (2.0, -3.25, 1), (-1.0, 0.5, 0))


def taken(data, **changes):
    table = read_table(data if isinstance(data, bytes) else data.encode())
    choice = guess(table)
    return take(table, Choice(**{**vars(choice), **changes}))


def refusal(data):
    with pytest.raises(ToytrainError) as caught:
        taken(data)
    sentence = str(caught.value)
    assert len(sentence) < 250
    assert "Traceback" not in sentence
    return sentence


# What is recognised


@pytest.mark.parametrize(
    "data",
    [
        PLAIN.encode(),
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        PLAIN.encode("utf-16-le"),
        PLAIN.encode("utf-16-be"),
        PLAIN.encode("utf-32"),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.replace("\n", "\n\n").encode(),
        PLAIN.replace(",", "\t").encode(),
        PLAIN.replace(",", ";").encode(),
        PLAIN.replace(",", "|").encode(),
        PLAIN.replace(",", "  ").encode(),
        PLAIN.replace(",", ", ").encode(),
        PLAIN.replace(",", ";").replace(".", ",").encode(),
        PLAIN.replace(",", "\t").replace(".", ",").encode(),
        PLAIN.split("\n", 1)[1].encode(),
        PLAIN.split("\n", 1)[1].replace(",", ";").replace(".", ",").encode(),
        PLAIN.replace("x1", '"x1"').replace("1.5", '"1.5"').encode(),
        PLAIN.replace("-", "\N{MINUS SIGN}").encode(),
        PLAIN.rstrip().encode(),
        b"label,x2,x1\n0,2,1.5\n1,-3.25,2\n0,0.5,-1",
        b"name,x,y,class\na,1.5,2,0\nb,2,-3.25,1\nc,-1,0.5,0",
        b"a,a,a\n1.5,2,0\n2,-3.25,1\n-1,0.5,0",
        b"1.5,2,cat\n2,-3.25,dog\n-1,0.5,cat",
        b"1.5,2,1\n2,-3.25,2\n-1,0.5,1",
        b"1.5,2,-1\n2,-3.25,1\n-1,0.5,-1",
        b"1.5,2,1.5\n2,-3.25,2.5\n-1,0.5,1.50",
        '1.5,2,"\xe4, =1"\n2,-3.25,\xfc\n-1,0.5,"\xe4, =1"'.encode("latin-1"),
    ],
)
def test_the_same_points_are_read_however_they_were_saved(data):
    found = taken(data)
    assert found.points == POINTS
    assert found.problems == ()


@pytest.mark.parametrize(
    ("label_column", "classes"),
    [
        ("10 9 10", ("9", "10")),
        ("b a b", ("a", "b")),
        ("-1 1 -1", ("-1", "1")),
        ("1 1.0 2", ("1", "2")),
        ("=SUM(A1) b b", ("=SUM(A1)", "b")),
    ],
)
def test_labels_are_numbered_in_their_order_and_the_text_of_each_is_kept(label_column, classes):
    rows = [f"{number},2,{label}" for number, label in enumerate(label_column.split())]
    assert taken("\n".join(rows)).classes == classes


@pytest.mark.parametrize(
    ("text", "decimal", "value"),
    [
        ("1,234.5", ".", 1234.5),
        ("1.234,5", ",", 1234.5),
        ("1 234,5", ",", 1234.5),
        ("1'234.5", ".", 1234.5),
        ("1\u202f234\u202f567", ".", 1234567),
        ("1,234,567", ".", 1234567),
        ("12,34", ".", None),
        ("1,5", ".", None),
        ("1,5", ",", 1.5),
        (" +.5e1 ", ".", 5),
        ("1e400", ".", float("inf")),
        *(
            (text, ".", None)
            for text in ("", "nan", "inf", "1_0", "0x1", "1.2.3", "--1", "١", "1e", "1,234 567")
        ),
    ],
)
def test_a_cell_is_a_number_or_none(text, decimal, value):
    assert number(text, decimal) == value


def test_thousands_and_decimals_are_told_apart():
    assert taken(b'x1,x2,label\n"1,234.5",2,a\n"2,000",3,b').points[0][0] == 1234.5
    assert taken(b"x1;x2;label\n1.234,5;2;a\n2.000,25;3;b").points[0][0] == 1234.5


def test_columns_of_one_name_get_a_number_and_an_empty_one_its_place():
    table = read_table(b"a,a,,a (2),a\n1,2,3,4,5\n")
    assert len(set(table.names(True))) == 5
    assert table.names(True)[2] == "column 3"


def test_whether_the_first_line_is_a_header_can_be_chosen():
    table = read_table(b"1,2,0\n3,4,1\n5,6,0")
    assert not table.has_header
    assert len(take(table, Choice(0, 1, 2, True, ".")).points) == 2


def test_large_numbers_can_be_standardised_on_the_way():
    data = "".join(f"{1e9 + 1e8 * number},{number},{number % 2}\n" for number in range(10))
    assert "permitted is -1,000,000 to 1,000,000" in refusal(data.encode())
    found = taken(data, standardise=True)
    assert found.problems == ()
    assert max(abs(point[0]) for point in found.points) < 2
    assert found.scaling[0][0] == pytest.approx(1e9 + 4.5e8)


# What is refused, whole or by the row


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b",,,\r,,,", "empty"),
        (b'""\n""', "empty"),
        (PLAIN.split("\n")[0].encode(), "no rows"),
        (b"1\n2\n3\n", "only one column"),
        (b"1,2\n2,3\n", "only two columns"),
        (b"1,2,0\n1,2\n", "Line 2 has 2 cells where the first line has 3"),
        (b"1,2,0\n1,2,3,4\n", "Line 2 has 4 cells where the first line has 3"),
        (b"1,2,0\n3,4,0\n", "same label"),
        ("\n".join(f"{n},{n},{n}" for n in range(500)).encode(), "500 different values"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)), "not a text file"),
        (b"PK\x03\x04" + b"\xff\xfe" * 100, "not a text file"),
        (b"\xff\xfe" + b"\x00\xd8" * 10, "not a text file"),
        (b"1,2,0\n" + b"a" * (MAX_BYTES - 20) + b",2,1", "Line 2 has a cell of more than 1,000 characters"),
        (b"1,2,0\n" + b"a" * 20 * 2**20 + b",2,1", "20 MB; 12 MB are permitted"),
        (b'1,2,0\n"' + b"1,2,0\n" * 100_000, "quotation mark"),
        (b"1," * (2**20) + b"1", "1,048,577 cells"),
        (b"a,b,c\nd,e,f\ng,h,i", "no rows"),
        (b"a,b,c\n1,2,x\n1,foo,y", "that give a point (1) have one label. Line 3: b is"),
    ],
)
def test_a_file_that_cannot_be_taken_is_refused_in_one_sentence(data, says):
    assert says in refusal(data)


@pytest.mark.parametrize(
    "cell", ["nan", "inf", "-inf", "1e400", "1e30", "abc", "", "=1+1", "1;2", "0x10", "1.000.000"]
)
def test_a_row_that_gives_no_point_is_named_and_the_others_are_taken(cell):
    found = taken(PLAIN + f'"{cell}",1,1\n')
    assert found.points == POINTS
    (problem,) = found.problems
    assert problem.startswith("Line 5: x1 is ")


def test_a_row_without_a_label_is_named():
    assert taken(PLAIN + "1,1,\n").problems == ("Line 5 has no label.",)


@pytest.mark.parametrize("quote", ["", '"'])
def test_of_a_million_rows_5000_are_taken_from_all_over_the_file(quote):
    rows = 1_000_000 if not quote else 50_000
    line = f"%d,%d,{quote}%d{quote}\n".encode()
    data = b"".join(line % (row % 997, 1000 * row // rows, row % 2) for row in range(rows))
    start = time.perf_counter()
    table = read_table(data)
    found = take(table, guess(table))
    print(f"{len(data) / 2**20:.1f} MB in {time.perf_counter() - start:.2f} s")
    assert table.rows_in_file == rows
    assert len(found.points) == 5000
    ones = sum(label for _, _, label in found.points)
    assert 2400 < ones < 2600
    for tenth in range(10):
        assert 400 < sum(100 * tenth <= x2 < 100 * tenth + 100 for _, x2, _ in found.points) < 600


@pytest.mark.parametrize("rows", [5000, 5001, 12_000])
@pytest.mark.parametrize("header", ["", "x1,x2,label\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("label", ["a", '"a\nb"'])
def test_no_more_rows_are_left_out_than_must_be(rows, header, end, label):
    lines = (header + "".join(f"{row},0,{label if row % 2 else 'c'}\n" for row in range(rows))).encode()
    table = read_table(lines.replace(b"\n", end.encode()))
    found = take(table, guess(table))
    assert table.rows_in_file == rows
    assert len(table.cells) == min(rows, 5000) + bool(header)
    assert len(found.points) == min(rows, 5000)
    x1 = [point[0] for point in found.points]
    assert x1 == sorted(set(x1))
    height = 1 + ("\n" in label)
    ends = [bool(header) + (row // 2) * (1 + height) + (row % 2) * height + 1 for row in range(rows)]
    assert list(table.lines[bool(header) :]) == [ends[int(row)] for row in x1]


def test_a_header_among_5001_rows_can_be_chosen_and_undone():
    data = "".join(f"{row},{row},{row % 2}\n" for row in range(5001)).encode()
    table = read_table(data)
    assert not table.has_header
    assert table.names(True) == ("0", "0 (2)", "0 (3)")
    assert len(take(table, Choice(0, 1, 2, True, ".")).points) == 4999


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("1,2", "Line 6002 has 2 cells where the first line has 3"),
        ("1", "Line 6002 has 1 cells where the first line has 3"),
        ("1,2,3,4", "Line 6002 has 4 cells where the first line has 3"),
        ("1,2," + "a" * 1001, "Line 6002 has a cell of more than 1,000 characters"),
    ],
)
def test_a_line_far_down_is_checked_too_whether_it_is_drawn_or_not(line, says):
    rows = [f"{row},0,{row % 2}" for row in range(20_000)]
    assert says in refusal("\n".join([*rows[:6000], ", ,", line, *rows[6000:]]))
    assert says in refusal("\r".join([*rows[:6000], "", line, *rows[6000:], '1,1,"1"']))


@pytest.mark.parametrize("seed", range(20))
def test_no_file_makes_the_reader_fail_in_another_way(seed):
    rng = random.Random(seed)
    for _ in range(50):
        data = bytearray(PLAIN.encode(rng.choice(["utf-8", "utf-16", "latin-1"])) * rng.randint(1, 3))
        for _ in range(rng.randint(0, 12)):
            data[rng.randrange(len(data))] = rng.choice([0, 10, 13, 34, 44, 59, 9, 255, rng.randrange(256)])
        try:
            taken(bytes(data[: rng.randint(0, len(data))]))
        except ToytrainError:
            continue


# Writing


def test_a_download_is_read_back_as_it_was():
    assert drawn_as_csv(POINTS) == b"x1,x2,label\r\n1.5,2.0,0\r\n2.0,-3.25,1\r\n-1.0,0.5,0\r\n"
    assert taken(drawn_as_csv(POINTS)).points == POINTS


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1+1",
        "-1+1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        " =1",
        '=HYPERLINK("http://x","y")',
        "-cmd|' /C'!A0",
        "＝1",
    ],
)
def test_a_text_that_a_spreadsheet_would_run_is_made_harmless(text):
    (name,), (cell, value) = csv.reader(io.StringIO(to_csv([[text], [text, -1.5]]).decode(), newline=""))
    assert name == cell == "'" + text
    assert value == "-1.5"
