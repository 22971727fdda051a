"""Names of an archive's entries are what the template says, fit for every file system, and unique."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgsvc.api.entry_names import FIELDS, LONGEST, Names, template
from imgsvc.errors import InvalidParameter
from imgsvc.jobs import Job, Output, Result
from tests.records import a_job, results


def done(
    filename: str | None = "cat.jpg", reference: str | None = None, outputs: int = 1
) -> tuple[Job, tuple[Result, ...]]:
    return made(filename, [(f"out{number}", "webp") for number in range(outputs)], reference)


def made(
    filename: str | None, wanted: Sequence[tuple[str, str]], reference: str | None = None
) -> tuple[Job, tuple[Result, ...]]:
    """A job of which these outputs came, each in a format."""
    job = a_job(reference=reference).evolve(
        filename=filename,
        outputs=tuple(Output(name=name, spec=kind) for name, kind in wanted),
        attempts=1,
    )
    return job, tuple(
        result.model_copy(update={"content_type": f"image/{kind}"})
        for result, (_, kind) in zip(results(job), wanted, strict=True)
    )


def named(text: str, *jobs: tuple[Job, tuple[Result, ...]], total: int = 100) -> list[str]:
    names = Names(template(text), total)
    return [
        name for place, (job, found) in enumerate(jobs, start=1) for name in names.names(place, job, found)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{filename}", "cat.webp"),
        ("filename", "cat.webp"),
        ("{reference}", "order 17.3.webp"),
        ("index", "001.webp"),
        ("{index}-{filename}", "001-cat.webp"),
        ("thumb of {filename}, {output}", "thumb of cat, out0.webp"),
    ],
)
def test_a_template_is_filled_in(text: str, expected: str) -> None:
    assert named(text, done(reference="order 17.3")) == [expected]


def test_the_usual_template_is_the_files_name() -> None:
    assert template(None) == template("filename") == "{filename}"


@pytest.mark.parametrize(
    "text", ["{nonsense}", "plain", "", "{", "{filename}}", "{filename", "{}", "{filename}" * 21]
)
def test_a_bad_template_is_refused_and_told_what_is_allowed(text: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        template(text)
    (fault,) = refused.value.problem.errors
    assert fault.pointer == "/names"
    for name in FIELDS:
        assert "{" + name + "}" in str(fault.allowed)


def test_a_template_may_be_as_long_as_it_may() -> None:
    longest = "{index}" + "x" * (LONGEST - len("{index}"))
    assert template(longest) == longest
    with pytest.raises(InvalidParameter):
        template(longest + "x")


def test_a_job_without_the_field_is_named_by_its_id() -> None:
    job = done(filename=None)
    assert named("{filename}", job) == named("{reference}", job) == [f"{job[0].id}.webp"]


def test_several_outputs_are_told_apart() -> None:
    assert named("filename", done(outputs=2)) == ["cat-out0.webp", "cat-out1.webp"]
    assert named("{output} {filename}", done(outputs=2)) == ["out0 cat.webp", "out1 cat.webp"]


def test_names_are_unique_on_file_systems_that_know_no_case() -> None:
    jobs = [
        done(name) for name in ("cat.jpg", "cat.png", "CAT.jpg", "cat-2.jpg", "Straße.jpg", "STRASSE.jpg")
    ]
    assert named("filename", *jobs) == [
        "cat.webp",
        "cat-2.webp",
        "CAT-3.webp",
        "cat-2-2.webp",
        "Straße.webp",
        "STRASSE-2.webp",
    ]


def test_all_that_a_job_made_has_the_same_number() -> None:
    photograph = made("a.jpg", [("h-200.avif", "avif"), ("h-200.webp", "webp"), ("h-200.jpg", "jpeg")])
    drawing = made("a.png", [("h-200.avif", "avif"), ("h-200.webp", "webp"), ("h-200.png", "png")])
    assert named("filename", photograph, drawing, drawing, made("a-h-200.gif", [("only", "png")])) == [
        *("a-h-200.avif", "a-h-200.webp", "a-h-200.jpg"),
        *("a-h-200-2.avif", "a-h-200-2.webp", "a-h-200-2.png"),
        *("a-h-200-3.avif", "a-h-200-3.webp", "a-h-200-3.png"),
        "a-h-200.png",  # nobody's yet
    ]


def test_a_number_that_one_entry_has_is_no_other_job_s() -> None:
    both = made("a.jpg", [("x", "jpeg"), ("y", "webp")])
    assert named("filename", both, made("a-y-2.jpg", [("only", "webp")]), both)[-2:] == [
        "a-x-3.jpg",
        "a-y-3.webp",
    ]


def test_results_of_one_job_that_would_be_called_the_same_are_told_apart() -> None:
    twice = made("a.jpg", [("X", "webp"), ("x", "webp")])
    assert named("filename", twice, twice) == ["a-X.webp", "a-x-2.webp", "a-X-3.webp", "a-x-4.webp"]


def test_equal_names_are_counted_on() -> None:
    found = named("filename", *[done("image.jpg")] * 2000)
    assert found == ["image.webp", *(f"image-{number}.webp" for number in range(2, 2001))]


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("2026/paris/cat.JPG", "2026_paris_cat.webp"),
        ("../../etc/passwd", "_.._etc_passwd.webp"),
        ("C:\\boot.ini", "C__boot.ini.webp"),
        ("-rf", "_-rf.webp"),
        (".hidden", "hidden.webp"),
        ("..", "_.webp"),
        ("nul", "_nul.webp"),
        ("COM1.txt", "_COM1.txt.webp"),
        ('a"b*c?d<e>f|g', "a_b_c_d_e_f_g.webp"),
        ("\u202egpj", "gpj.webp"),
        ("x\ny\x00z", "x_y_z.webp"),
        ("trailing. ", "trailing.webp"),
    ],
)
def test_a_name_leads_nowhere_and_hides_nothing(reference: str, expected: str) -> None:
    assert named("reference", done(reference=reference)) == [expected]


def test_long_names_are_cut_and_stay_unique() -> None:
    long = named("reference", *[done(reference="ä" * 255) for _ in range(12)])
    assert len(set(long)) == 12
    assert all(len(name.encode()) <= 255 and name.endswith(".webp") for name in long)


@given(st.lists(st.text(min_size=1, max_size=255), max_size=20))
def test_whatever_the_references_are_the_names_are_sane(references: list[str]) -> None:
    names = named("reference", *[done(reference=reference) for reference in references])
    assert len({name.casefold() for name in names}) == len(references)
    for name in names:
        assert name.endswith(".webp")
        assert len(name.encode()) <= 255
        assert name[0] not in ".-/"
        assert not set(name) & set('/\\:*?"<>|\0\n\r')
