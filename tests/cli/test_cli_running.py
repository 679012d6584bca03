from __future__ import annotations

import errno
import io
import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import causalvae
from causalvae.cli import app as app_module
from causalvae.cli.progress import ProgressView, TrainingView, format_seconds
from causalvae.engine.progress import Progress
from causalvae.errors import CausalVAEError
from causalvae.models.card import Carries
from causalvae.report import load_results, write_report
from causalvae.results import Results
from tests.report.synthetic_results import HIDDEN, HOSTILE, build_results


@dataclass(frozen=True)
class Outcome:
    results: Results
    folder: Path
    reports: dict[str, Path]


def fake_run(results: Results, folder: Path) -> Any:
    def run(path: Path, out: Path = Path("runs"), on_progress: Any = None) -> Outcome:
        for done in (0, 5, 10):
            on_progress(Progress("engine", done, 10, "rows"))
        return Outcome(results, folder, write_report(results, folder, ("html", "json")))

    return run


@pytest.fixture
def results() -> Results:
    return build_results()


def test_run_prints_verdicts_effects_agreement_and_the_report(
    invoke, starter: Path, tmp_path: Path, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(causalvae, "run", fake_run(results, tmp_path / "run"), raising=False)
    done = invoke("run", starter)
    assert done.exit_code == 0
    for words in (
        "✓ supported", "✗ refuted", "? inconclusive", "1,420", "indirect effect", "121 [117, 125]", "0.92 [0.90, 0.94]",
        "< 0.001", "Agreement of graph, data, network and mapping", "shape → is_heart        declared     ✗ 0.02",
        "✗ missing", "+ spurious",
        str(tmp_path / "run" / "report.html"),
    ):  # fmt: skip
        assert words in done.stdout, words
    assert "\x1b" not in done.stdout + done.stderr, "piped output has no colour codes"
    wide = [line for line in done.stdout.splitlines() if len(line) > 80 and str(tmp_path) not in line]
    assert wide == []
    assert "engine: 10 rows" in done.stderr
    assert "engine" not in done.stdout


@pytest.mark.parametrize(
    ("options", "failing"),
    [
        ((), ()),
        (("--strict",), ("refuted", "unspecific")),
        (("--strict=refuted",), ("refuted", "unspecific")),
        (("--strict=supported",), ("refuted", "unspecific", "inconclusive")),
    ],
)
@pytest.mark.parametrize("status", ["supported", "refuted", "unspecific", "inconclusive"])
def test_strict_fails_on_what_it_says(
    invoke,
    starter: Path,
    tmp_path: Path,
    results: Results,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    failing: tuple[str, ...],
    status: str,
) -> None:
    supported = next(verdict for verdict in results.verdicts if verdict.status == "supported")
    other = next(verdict for verdict in results.verdicts if verdict.status == status)
    held = replace(results, verdicts=(supported, other))
    monkeypatch.setattr(causalvae, "run", fake_run(held, tmp_path / "run"), raising=False)
    code = 1 if status in failing else 0
    assert invoke("run", starter, *options).exit_code == code
    assert invoke("run", *options, starter, "--json").exit_code == code


def test_strict_takes_no_other_value(invoke, starter: Path) -> None:
    done = invoke("run", starter, "--strict=perhaps")
    assert done.exit_code == 2 and "'refuted', 'supported'" in done.stderr


def test_run_as_json_is_one_strict_object(
    invoke, starter: Path, tmp_path: Path, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(causalvae, "run", fake_run(results, tmp_path / "run"), raising=False)
    done = invoke("run", starter, "--json", "--quiet")
    content = json.loads(done.stdout)
    assert content["reports"]["html"] == str(tmp_path / "run" / "report.html")
    assert [verdict["status"] for verdict in content["results"]["verdicts"]][:2] == ["supported", "refuted"]
    assert done.stderr == ""


def test_quiet_keeps_to_verdicts_and_paths(
    invoke, starter: Path, tmp_path: Path, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(causalvae, "run", fake_run(results, tmp_path / "run"), raising=False)
    done = invoke("run", starter, "--quiet")
    assert done.stderr == ""
    assert "✗ refuted" in done.stdout
    assert "report.html" in done.stdout
    assert "Agreement" not in done.stdout


def test_hostile_strings_do_not_reach_the_terminal_as_commands(
    invoke, starter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = build_results(hostile=True)
    bad = replace(bad, answer="\x1b[2J\x1b]0;owned\x07 [bold]kept[/bold]" + HOSTILE)
    monkeypatch.setattr(causalvae, "run", fake_run(bad, tmp_path / "run"), raising=False)
    done = invoke("run", starter)
    assert done.exit_code == 0
    assert not set(HIDDEN) & set(done.stdout)
    assert "[bold]kept[/bold]" in " ".join(done.stdout.split()), "markup is text, as latent[3] must be"


def raising(error: BaseException) -> Any:
    def run(*arguments: Any, **options: Any) -> Any:
        raise error

    return run


def test_an_error_that_a_user_can_mend_has_no_traceback(invoke, starter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = CausalVAEError(
        "CV104", "The layout [3] is wrong.", "Say posterior: {layout: interleaved}.", "model.posterior"
    )
    monkeypatch.setattr(causalvae, "run", raising(error), raising=False)
    done = invoke("run", starter)
    assert done.exit_code == 3
    assert done.stdout == ""
    for words in ("CV104", "The layout [3] is wrong.", "model.posterior", "help: Say posterior"):
        assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_an_error_says_its_own_exit_code(invoke, starter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = CausalVAEError("CV301", "It does not fit.", "Mend it.")
    error.exit_code = 2  # type: ignore[misc]
    monkeypatch.setattr(causalvae, "run", raising(error), raising=False)
    assert invoke("run", starter).exit_code == 2


def test_an_unforeseen_error_points_to_debug(invoke, starter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(causalvae, "run", raising(ZeroDivisionError("by zero")), raising=False)
    done = invoke("run", starter)
    assert done.exit_code == 3
    assert "ZeroDivisionError: by zero" in done.stderr
    assert "--debug" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), CausalVAEError("CV104", "a", "b")])
def test_debug_lets_the_error_through(invoke, starter: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr(causalvae, "run", raising(error), raising=False)
    assert invoke("--debug", "run", starter).exception is error


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize(
    ("command", "function"), [("run", "run"), ("train", "train"), ("study", "run_study"), ("compare", "compare")]
)
def test_a_stopped_command_says_what_is_kept_and_how_to_resume(
    invoke, starter: Path, monkeypatch: pytest.MonkeyPatch, command: str, function: str, number: int, code: int
) -> None:
    def stop(*arguments: Any, **options: Any) -> None:
        os.kill(os.getpid(), number)
        # Python handles a signal between two operations.
        time.sleep(5)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(causalvae, function, stop, raising=False)
    done = invoke(command, starter)
    assert done.exit_code == code
    words = " ".join(done.stderr.split())
    name = signal.Signals(number).name
    assert f"Stopped by {name}. Finished parts are kept; run the same command again to resume." in words
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_reader_that_closes_the_pipe_is_no_failure(starter: Path) -> None:
    command = [sys.executable, "-m", "causalvae", "validate", "--json", str(starter)]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited as on Linux")
def test_too_little_memory_has_a_code(starter: Path, tmp_path: Path) -> None:
    """Not even the libraries fit."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (700 * 2**20,) * 2)"
    start = f"{limit}; import sys; from causalvae.cli.app import main; sys.argv = ['causalvae', *sys.argv[1:]]; main()"
    command = [sys.executable, "-c", start, "run", str(starter), "--out", str(tmp_path / "runs")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 3, done.stderr
    assert "error[CV415]" in done.stderr
    assert "ulimit -v" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
def test_a_full_disk_behind_standard_output_has_a_code(starter: Path) -> None:
    command = [sys.executable, "-m", "causalvae", "validate", "--json", str(starter)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 3
    assert "error[CV410]" in done.stderr
    assert "Free some space" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
@pytest.mark.parametrize(
    ("environment", "redirected", "code"),
    [
        ({}, "validate --json starter.yaml >&-", 0),
        ({}, "validate nosuch.yaml <&- >&- 2>&-", 2),
        ({}, "report nosuch 2>/dev/full", 3),
        ({}, "report --nosuch 2>/dev/full", 2),
        ({"COLUMNS": "0"}, "validate starter.yaml", 0),
    ],
)
def test_streams_that_are_closed_or_full_and_a_width_of_zero(
    starter: Path, environment: dict[str, str], redirected: str, code: int
) -> None:
    if "/dev/full" in redirected and not Path("/dev/full").exists():
        pytest.skip("needs a full device")
    command = f"{sys.executable} -m causalvae {redirected.replace('starter.yaml', starter.name)}"
    paths = os.pathsep.join([str(Path(causalvae.__file__).parents[1]), *sys.path])
    given = {**os.environ, "PYTHONPATH": paths, **environment}
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=given, cwd=starter.parent)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert bool(done.stdout) == bool(environment)


def test_a_closed_pipe_ends_a_command_as_its_signal_would(starter: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-m", "causalvae", "kinds"], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert done.returncode == 141
    assert done.stderr == b""


def test_a_wrong_option_is_a_usage_error(invoke, starter: Path) -> None:
    done = invoke("run", starter, "--no-such-option")
    assert done.exit_code == 2
    assert "no-such-option" in done.stderr


def test_report_writes_again_from_results_json(invoke, tmp_path: Path, results: Results) -> None:
    write_report(results, tmp_path, ("json",))
    done = invoke("report", tmp_path)
    assert done.exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.md", "results.json"]
    before = (tmp_path / "report.html").read_bytes()
    (tmp_path / "report.html").unlink()
    assert invoke("report", tmp_path, "--format", "html", "--format", "json").exit_code == 0
    assert (tmp_path / "report.html").read_bytes() == before
    assert math.isnan(load_results(tmp_path).controls[3].value)


def test_report_of_a_folder_without_results(invoke, tmp_path: Path) -> None:
    done = invoke("report", tmp_path)
    assert done.exit_code == 3
    assert "CV450" in done.stderr


@dataclass(frozen=True)
class Trained:
    reconstruction: float
    kl: tuple[float, ...]
    carries: tuple[Carries, ...]
    seconds: float
    weights: Path


@dataclass(frozen=True)
class Step:
    step: int
    steps: int
    rate: float
    terms: dict[str, float]


def test_train_shows_progress_and_what_was_reached(invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    carries = (Carries("x", 256, 0.98, (0.97, 0.01)), Carries("shape", 256, 0.4, None))

    def train(path: Path, out: Path | None, on_progress: Any) -> Trained:
        seen["out"] = out
        for step in range(1, 101):
            on_progress(Step(step, 100, 25.0, {"reconstruction": 40.0 - step / 10, "kl": 12.3}))
        return Trained(30.123, (2.0, 0.01), carries, 3725.0, tmp_path / "w.safetensors")

    monkeypatch.setattr(causalvae, "train", train, raising=False)
    done = invoke("train", "spec.yaml", "--out", tmp_path)
    assert done.exit_code == 0
    assert seen["out"] == tmp_path
    assert "30.12 nats" in done.stdout
    assert "1 h 2 min" in done.stdout
    assert "  x: latent[0] 0.97\n  shape: nothing\n" in done.stdout
    assert "w.safetensors" in done.stdout
    lines = done.stderr.splitlines()
    assert 10 <= len(lines) <= 22, "a log is not flooded"
    assert "step 100/100" in lines[-1]
    assert "reconstruction 30" in lines[-1]
    assert "25 steps/s" in lines[-1]
    content = json.loads(invoke("train", "spec.yaml", "--json", "--quiet").stdout)
    assert content["kl"] == [2.0, 0.01]
    assert content["active_latents"] == [0]
    assert content["carries"][0] == {"factor": "x", "pairs": 256, "explained": 0.98, "shares": [0.97, 0.01]}
    assert content["carries"][1]["shares"] is None


def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)


def test_bars_in_a_terminal_have_rate_and_count() -> None:
    console = terminal()
    with ProgressView(console=console) as view:
        for done in range(0, 1001, 100):
            view.tell(Progress("engine", done, 1000, "rows"))
    written = console.file.getvalue()  # type: ignore[attr-defined]
    assert "1,000/1,000" in written
    assert "rows/s" in written


def test_a_stage_of_unknown_length_does_not_break_the_bars() -> None:
    for console in (terminal(), Console(file=io.StringIO(), width=80)):
        with ProgressView(console=console) as view:
            view.tell(Progress("network", 0, 0, "networks"))
            view.tell(Progress("network", 1, 1, "networks"))


def test_training_bar_in_a_terminal_shows_the_terms() -> None:
    console = terminal()
    with TrainingView(console=console) as view:
        for step in range(1, 50):
            view.tell(Step(step, 50, 10.0, {"kl": 1.5}))
    assert "kl 1.5" in console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(("seconds", "words"), [(4.4, "4 s"), (75, "1 min 15 s"), (7322, "2 h 2 min")])
def test_durations(seconds: float, words: str) -> None:
    assert format_seconds(seconds) == words


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "runs/x"), ("Not a directory", "at runs/x", "folder")),
        (PermissionError(errno.EACCES, "Permission denied", "runs"), ("Permission denied", "at runs", "permissions")),
        (OSError(errno.ENOSPC, "No space left on device"), ("No space left", "Free some space")),
        (OSError("a library's own words"), ("a library's own words", "--debug")),
    ],
)
def test_what_the_system_refuses_is_told_with_place_and_remedy(
    invoke, starter: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr(causalvae, "run", raising(error), raising=False)
    done = invoke("run", starter)
    assert done.exit_code == 3
    assert "error[CV410]" in done.stderr
    assert "not foreseen" not in done.stderr
    for word in words:
        assert word in " ".join(done.stderr.split())
    assert invoke("--debug", "run", starter).exception is error


def test_a_closed_pipe_is_no_error_message(invoke, starter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(causalvae, "run", raising(BrokenPipeError(errno.EPIPE, "Broken pipe")), raising=False)
    done = invoke("run", starter)
    assert done.exit_code == 141
    assert "CV" not in done.stderr


def test_a_file_where_the_training_folder_should_be(invoke, tmp_path: Path) -> None:
    spec, taken = tmp_path / "train.yaml", tmp_path / "taken"
    spec.write_text("spec: causalvae/train-v1\nname: t\nobjective: {name: vae}\nsteps: 10\n")
    taken.write_text("a file")
    done = invoke("train", spec, "--out", taken, "--quiet")
    assert done.exit_code == 3
    assert "error[CV4" in done.stderr
    assert "not foreseen" not in done.stderr
    assert taken.read_text() == "a file"


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("a bug")])
def test_memory_that_runs_out_while_an_error_is_reported_has_its_exit_code(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(app_module, "app", fail)
    if isinstance(error, MemoryError):
        with pytest.raises(SystemExit) as ended:
            app_module.main()
        assert ended.value.code == 3 and "error[CV415]" in capfd.readouterr().err
    else:
        with pytest.raises(RuntimeError):
            app_module.main()
