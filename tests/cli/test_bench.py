"""``lossgen bench``: what it says, what it refuses, that it leaves nothing behind."""

import json
import shutil
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

import pytest

import lossgen.pipeline
from lossgen.config import BACKENDS
from lossgen.errors import LossgenError
from lossgen.spec import LossSpec
from tests.cli.conftest import Run, write_spec

QUICK = ("--rounds", "2", "--no-compile", "--no-small")
SMALL = ("--size", "n=4,c=3,s=8x8")


def test_json_says_what_was_measured(run: Run, project: Path) -> None:
    result = run("bench", "dice", "--json", *QUICK, *SMALL, "--dtype", "float64", "--threads", "1")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["shapes"] == {"input": [4, 3, 8, 8], "target": [4, 3, 8, 8]}
    assert (found["dtype"], found["device"], found["threads"]) == ("float64", "cpu", 1)
    assert found["gradients"] == ["input"]
    # input and target read, the gradient written
    assert found["limit"]["bytes"] == 3 * 4 * 3 * 64 * 8
    assert found["limit"]["functions"] == {"exp": 4 * 3 * 64}
    assert found["limit"]["seconds"] >= found["limit"]["floor"] > 0
    forms = {form["name"]: form for form in found["forms"]}
    assert {"function", "eager"} <= {*forms}
    for form in forms.values():
        assert form["seconds"]["low"] <= form["seconds"]["median"] <= form["seconds"]["high"]
        assert form["seconds"]["low"] > 0
        assert form["first"] > 0
    for name in ("function", "eager"):
        assert forms[name]["value_error"] < 1e-14
        assert forms[name]["gradient_error"] < 1e-14
        assert forms[name]["peak"] >= 4 * 3 * 64 * 8
    assert [*project.iterdir()] == []


def test_torchs_own_loss_is_measured_beside_ours(run: Run) -> None:
    result = run("bench", "huber", "--json", *QUICK, "--size", "1k", "--upstream", "0.5")
    found = json.loads(result.stdout)
    assert found["upstream"] == 0.5
    assert found["shapes"]["input"] == [1000]
    (peer,) = [form for form in found["forms"] if form["kind"] == "peer"]
    assert peer["name"].startswith("torch ")
    assert found["best_peer"] == peer["name"]
    assert peer["to_peer"]["median"] == 1
    # Both are the same loss, and the gradient that came in reached both.
    assert all(form["gradient_error"] < 1e-5 for form in found["forms"])


def test_a_table_and_a_chart(run: Run, project: Path) -> None:
    result = run("bench", "mse", *QUICK, "--size", "1k", "--plot", "out/mse.svg")
    assert result.exit_code == 0, result.output
    for word in ("function", "eager", "limit", "x limit", "input read once", "d_input written"):
        assert word in result.stdout
    tree = ElementTree.parse(project / "out" / "mse.svg").getroot()
    assert tree.tag.endswith("svg")


def test_a_small_batch_is_measured_unless_it_is_left_out(run: Run) -> None:
    words = ("bench", "cross_entropy", "--json", "--rounds", "1", "--no-compile", "--size", "1k")
    found = json.loads(run(*words).stdout)
    assert found["small_sizes"] == {"n": [32], "c": [10], "s": []}
    assert all(form["small"]["median"] > 0 for form in found["forms"])


def test_a_loss_of_ones_own(run: Run, project: Path) -> None:
    write_spec(project, "fourth", power=4)
    found = json.loads(run("bench", "fourth", "--json", *QUICK, "--size", "500").stdout)
    assert found["name"] == "fourth"
    assert found["limit"]["bytes"] == 3 * 2000
    assert found["best_peer"] == ""


@pytest.mark.skipif(not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="no C compiler")
def test_kernels_with_the_memory_of_gradients_kept(run: Run) -> None:
    words = ("--backend", "c", "--keep-gradients", "--size", "1M", "--json")
    found = json.loads(run("bench", "mse", *QUICK, *words).stdout)
    forms = {form["name"]: form for form in found["forms"]}
    # The first call made the gradient's memory, which later ones are written to.
    assert forms["c"]["peak"] >= 4_000_000 > forms["c, memory kept"]["peak"]
    assert forms["c, memory kept"]["gradient_error"] < 1e-6
    refused = run("bench", "mse", "--backend", "eager", "--keep-gradients")
    assert refused.exit_code == 2
    assert "add --backend c" in refused.output


def test_gradients_may_be_chosen(run: Run) -> None:
    words = ("bench", "mse", "--json", *QUICK, "--size", "1k")
    found = json.loads(run(*words, "--gradient", "input", "--gradient", "target").stdout)
    assert found["gradients"] == ["input", "target"]
    assert found["limit"]["bytes"] == 4 * 4000


def test_scores_of_told_sizes_have_no_space_unless_it_is_told(run: Run) -> None:
    words = ("bench", "cross_entropy", "--json", *QUICK, "--size", "n=5,c=4")
    found = json.loads(run(*words).stdout)
    assert found["shapes"] == {"input": [5, 4], "target": [5]}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("mse", "--size", "n=4"), "no axis 'n'. It has e."),
        (("dice", "--size", "c=2x3"), "'c' is one dimension, not 2. Only s may have several."),
        (("dice", "--size", "n=0"), "is no size. Write axes by name, as in --size n=8"),
        (("dice", "--size", "0"), "at least one element"),
        (
            ("mse", "--gradient", "inptu"),
            "is taken with respect to 'inptu'. Did you mean",
        ),
        (("dice", "--plot", "dice.png"), "charts are written as SVG"),
        (("dcie",), "No loss is called 'dcie'. Did you mean 'dice'?"),
        (("mse", "--device", "abacus"), "--device 'abacus'"),
        (("mse", "--device", "meta"), "measured on cpu and cuda"),
        (("mse", "--rounds", "0"), "--rounds"),
        (("mse", "--dtype", "int8"), "--dtype"),
    ],
)
def test_what_cannot_be_asked_is_said(run: Run, words: tuple[str, ...], message: str) -> None:
    result = run("bench", *words)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


def test_a_backend_that_cannot_is_left_out_with_its_reason(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = lossgen.pipeline.source

    def refusing(spec: LossSpec, templates: Sequence[Path], backend: str) -> object:
        if backend == "other":
            raise LossgenError("no such instruction")
        return made(spec, templates, backend)

    monkeypatch.setattr(lossgen.pipeline, "source", refusing)
    monkeypatch.setattr("lossgen.cli.bench.BACKENDS", (*BACKENDS[:1], "other"))
    result = run("bench", "mse", "--json", *QUICK, "--size", "1k")
    assert ["other", "no such instruction"] in json.loads(result.stdout)["skipped"]


@pytest.mark.skipif("c" not in BACKENDS, reason="this build has no kernels in C")
def test_a_backend_that_fell_back_is_left_out_with_its_reason(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "/bin/false")
    result = run("bench", "mse", "--json", *QUICK, "--size", "1k")
    found = json.loads(result.stdout)
    assert "c" not in [form["name"] for form in found["forms"]]
    assert "/bin/false failed" in dict(found["skipped"])["c"]


@pytest.mark.skipif("c" not in BACKENDS, reason="this build has no kernels in C")
def test_a_loss_without_a_kernel_says_so(run: Run, project: Path) -> None:
    (project / "specs").mkdir()
    (project / "specs" / "whole.py").write_text(
        "from lossgen.language import Embedding, Sum, d, exp, i, j, log, loss, n\n\n\n"
        "@loss()\ndef whole(input: Embedding[n, d], target: Embedding[n, d]):\n"
        '    """All pairs."""\n'
        "    return log(Sum(exp(Sum(input[i, d] * target[j, d], d)), i, j))\n",
        encoding="utf-8",
    )
    result = run("bench", "whole", "--json", *QUICK, "--size", "n=2,d=3")
    assert "no kernel in C" in dict(json.loads(result.stdout)["skipped"])["c"]


def test_a_package_that_is_missing_is_left_out_by_name(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("monai", "monai.losses"):
        monkeypatch.setitem(sys.modules, name, None)
    result = run("bench", "generalized_dice", *QUICK, *SMALL)
    assert result.exit_code == 0, result.output
    assert "left out: MONAI (" in result.stdout


@pytest.mark.slow
def test_torch_compile_of_the_function_and_of_the_best_peer(run: Run) -> None:
    words = ("bench", "huber", "--json", "--rounds", "2", "--no-small", "--size", "1k")
    found = json.loads(run(*words).stdout)
    names = [form["name"] for form in found["forms"] if form["kind"] == "compiled"]
    assert names == ["torch.compile(function)", f"torch.compile({found['best_peer']})"]
    assert all(form["gradient_error"] < 1e-5 for form in found["forms"])
