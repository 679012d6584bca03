"""Mutated specs through `causalvae validate`: whatever a file holds, it is valid or refused with a reason.

``python -m tests.fuzz.specs 5000`` prints the counts of 5,000 specs.
"""

from __future__ import annotations

import json
import math
import random
import re
import string
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from typer.testing import CliRunner

from causalvae.cli.app import app
from causalvae.spec.yaml_tree import compose, normalise
from tests.fuzz.time_limit import time_limit

ROOT: Final = Path(__file__).parents[2]
MOST_STEPS: Final = 10_000_000
"""Calls of functions that validating one spec of at most 1 MiB may take."""

# A spec that is not done after so many seconds hangs in one call: steps are what is measured.
_HANGS: Final = 120
_CODE: Final = re.compile(r"^(?:error|warning)\[(CV\d{3})\]", re.MULTILINE)

HOSTILE: Final[tuple[Any, ...]] = (
    None, True, False, "", " ", 0, -1, 1, 3, 0.5, 1e308, -1e308, 1e-308, 5e-324, math.nan, math.inf, -math.inf, 2**31,
    2**63, -(2**63), 10**99, 10**400, [], {}, [[]], {"": None}, [None], ["x", "x"], {"x": {"x": {"x": []}}}, "null",
    "~", "yes", "NaN", "1e999", "0x10", "latent", "latent[", "latent[0]", "latent[-1]", "latent[99999999999]",
    "latent[0:9999999999]", "latent[" + "0," * 200 + "0]", "encoder.**", "**", "*" * 200, ".".join("a" * 100), "$",
    "$scale", "$none", "a -> b", "a -> a", "->", "->" * 200, "builtin://", "builtin://none", "builtin://../x",
    "/dev/zero", "/", "..", "../" * 50, "~root/x", "~none/x", "/etc/shadow", "x" * 300, "x" * 5000, "x\x00y",
    "\u202ex", "\ufeff", "é" * 40, "\U0001f600", "a\nb", "{{ x }}", "%s%n", "__class__", "os:system", "a.b.c:d",
    "torch:nn", "causalvae.cli.app:main", "normal(0, 1)", "normal(0, -1)", "normal(0, 1e-300)", "gamma(1e308, 1)",
    "gamma(0, 1)", "gamma(1e-300, 1)", "exponential(0)", "laplace(0, 0)", "bernoulli(2)", "uniform(1, 0)",
    "9**9**9**9", "1/0", "log(0)", "0 ** -1", "%", "a", "(" * 400, "-" * 900 + "1", "not " * 200 + "1",
    "1 < " * 200 + "1", "max(" + "1," * 250 + "1)", "9" * 999, "x if y else " * 60 + "0",
    "exp(" * 90 + "1" + ")" * 90, "__import__('os').system('true')", "lambda: 0", "1e400", "case(shape)", "(a)" * 200,
    "0" * 900, "1 GB", "0.0000001 KB", "999999999999 TB",
)  # fmt: skip


class TooManyStepsError(BaseException):
    """Validation went on beyond `MOST_STEPS`; no ``except Exception`` takes it."""


@dataclass(frozen=True)
class Failure:
    """A spec that broke a promise: what happened, and the text that does it again."""

    what: str
    text: str
    output: str = ""


@dataclass
class FuzzCounts:
    """What became of mutated specs.

    Parameters
    ----------
    specs, valid, refused : int
        How many were checked, and how they ended.
    codes : Counter
        Code -> in how many specs it was reported.
    most_steps : int
        Calls of functions that the longest took.
    failures : list of Failure
        Tracebacks, refusals without a diagnostic, too many steps.
    """

    specs: int = 0
    valid: int = 0
    refused: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    most_steps: int = 0
    failures: list[Failure] = field(default_factory=list)


def fuzz_specs(count: int, seed: int = 0) -> FuzzCounts:
    """Validate mutated copies of the specs that the repository holds.

    Parameters
    ----------
    count : int
        How many; spec i is the same whatever the count.
    seed : int
    """
    counts = FuzzCounts()
    texts = _corpus()
    trees = [tree for tree in map(_plain, texts) if tree is not None]
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "spec.yaml"
        _lay_out(path.parent)
        for number in range(count):
            rng = random.Random(f"{seed}/{number}")
            text = _mutated(rng, texts, trees)
            path.write_text(text, encoding="utf-8", errors="surrogatepass")
            _check(path, text, counts, as_json=number % 5 == 0)
    return counts


def _corpus() -> list[str]:
    folders = ("specs", "examples", "docs", "tests/spec")
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.yaml"))
    texts = [path.read_text(encoding="utf-8") for path in (*paths, ROOT / "causalvae/cli/starter.yaml")]
    # What they read is not always there: a missing file would be a reason to refuse every mutation.
    texts = [re.sub(r"[^\s,:]*\.(safetensors|yaml)\b(?![/`])", r"there.\1", text) for text in texts]
    return [
        re.sub(r"put-here-by-the-study|\.\./\.\./shared/pretrained/\w+", "there.safetensors", text) for text in texts
    ]


def _lay_out(place: Path) -> None:
    """The files and folders that the corpus names."""
    for name in ("there.safetensors", "there.yaml", "networks.py"):
        (place / name).touch()
    for name in ("morphomnist", "train/morphomnist"):
        (place / name).mkdir(parents=True)


def _plain(text: str) -> Any:
    root, faults = compose(normalise(text))
    return root.to_plain() if root is not None and not faults else None


def _check(path: Path, text: str, counts: FuzzCounts, as_json: bool) -> None:
    counts.specs += 1
    result, steps = None, [0]
    try:
        with _counted(steps):
            result = CliRunner().invoke(app, ["validate", str(path), *(["--json"] if as_json else [])])
    except TooManyStepsError as stop:
        counts.failures.append(Failure(str(stop), text))
        return
    finally:
        counts.most_steps = max(counts.most_steps, steps[0])
    valid, output = result.exit_code == 0, result.output
    counts.valid += valid
    counts.refused += result.exit_code == 2
    if result.exit_code not in (0, 2) or not isinstance(result.exception, SystemExit | None):
        counts.failures.append(Failure(f"exit code {result.exit_code}: {result.exception!r}", text, output))
        return
    if as_json:
        (file,) = json.loads(result.stdout)["files"]
        found = [(fault["code"], fault["severity"], fault["message"]) for fault in file["diagnostics"]]
        errors = [code for code, severity, message in found if severity == "error" and message]
        codes = {code for code, _, _ in found}
    else:
        codes = set(_CODE.findall(output))
        errors = re.findall(r"^error\[(CV\d{3})\]\s+\S", output, re.MULTILINE)
    counts.codes.update(codes)
    if valid == bool(errors):
        counts.failures.append(Failure("valid with an error" if valid else "refused without a reason", text, output))


@contextmanager
def _counted(steps: list[int]) -> Iterator[None]:
    """Count the calls of functions inside, and stop at too many or when nothing happens any more."""

    def count(_frame: Any, event: str, _argument: Any) -> None:
        if event in ("call", "c_call"):
            steps[0] += 1
            if steps[0] > MOST_STEPS:
                sys.setprofile(None)
                raise TooManyStepsError(f"more than {MOST_STEPS:,} steps")

    with time_limit(_HANGS, TooManyStepsError("hangs")):
        sys.setprofile(count)
        try:
            yield
        finally:
            sys.setprofile(None)


def _mutated(rng: random.Random, texts: list[str], trees: list[Any]) -> str:
    if rng.random() < 0.2:
        text = rng.choice(texts)
        for _ in range(rng.randint(1, 3)):
            text = rng.choice(_OF_TEXTS)(rng, text)
        return text
    tree = _copy(rng.choice(trees))
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        rng.choice(_OF_TREES)(rng, tree, trees)
    return _write(tree)


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list) else value


def _spot(rng: random.Random, tree: Any) -> tuple[Any, Any] | None:
    """A container and a key of it, anywhere in the tree; None of an empty tree."""
    spots = list(_spots(tree))
    return rng.choice(spots) if spots else None


def _spots(value: Any) -> Iterator[tuple[Any, Any]]:
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _spots(value[key])


def _replace(rng: random.Random, tree: Any, trees: list[Any]) -> None:
    _put(rng, tree, rng.choice(HOSTILE))


def _put(rng: random.Random, tree: Any, value: Any) -> None:
    spot = _spot(rng, tree)
    if spot is not None:
        spot[0][spot[1]] = _copy(value)


def _delete(rng: random.Random, tree: Any, trees: list[Any]) -> None:
    spot = _spot(rng, tree)
    if spot is not None:
        del spot[0][spot[1]]


def _rename(rng: random.Random, tree: Any, trees: list[Any]) -> None:
    spots = [spot for spot in _spots(tree) if isinstance(spot[0], dict)]
    if not spots:
        return
    owner, key = rng.choice(spots)
    at = rng.randrange(len(key) + 1)
    new = rng.choice((key[:at] + key[at + 1 :], key[:at] + rng.choice(string.printable) + key[at:], "", key.upper()))
    new = rng.choice((new, new, new, str(rng.choice(HOSTILE))))
    items = list(owner.items())
    owner.clear()
    owner.update((new if name == key else name, value) for name, value in items)


def _repeat(rng: random.Random, tree: Any, trees: list[Any]) -> None:
    spots = [spot for spot in _spots(tree) if isinstance(spot[0][spot[1]], list | dict) and spot[0][spot[1]]]
    if not spots:
        return
    owner, key = rng.choice(spots)
    times, value = rng.choice((2, 2, 3, 40, 120)), owner[key]
    if isinstance(value, list):
        owner[key] = [_copy(item) for _ in range(times) for item in value][:3000]
    else:
        copies = {f"{name}{n or ''}": _copy(inner) for n in range(times) for name, inner in value.items()}
        owner[key] = dict(list(copies.items())[:600])


def _wrap(rng: random.Random, tree: Any, trees: list[Any]) -> None:
    spot = _spot(rng, tree)
    if spot is not None:
        value = spot[0][spot[1]]
        for _ in range(rng.choice((1, 1, 2, 38, 60))):
            value = rng.choice(([value], {"x": value}))
        spot[0][spot[1]] = value


def _unwrap(rng: random.Random, tree: Any, trees: list[Any]) -> None:
    spots = [spot for spot in _spots(tree) if isinstance(spot[0][spot[1]], list | dict) and spot[0][spot[1]]]
    if spots:
        owner, key = rng.choice(spots)
        inside = owner[key]
        owner[key] = rng.choice(list(inside.values()) if isinstance(inside, dict) else inside)


def _splice(rng: random.Random, tree: Any, trees: list[Any]) -> None:
    spot = _spot(rng, rng.choice(trees))
    if spot is not None:
        _put(rng, tree, spot[0][spot[1]])


def _add(rng: random.Random, tree: Any, trees: list[Any]) -> None:
    spot = _spot(rng, tree)
    if spot is not None and isinstance(spot[0], dict):
        other = _spot(rng, rng.choice(trees))
        key = other[1] if other is not None and isinstance(other[1], str) else str(rng.choice(HOSTILE))
        spot[0][key] = _copy(rng.choice(HOSTILE))


def _perturb(rng: random.Random, tree: Any, trees: list[Any]) -> None:
    """Another number or text in the place of one."""
    spots = [spot for spot in _spots(tree) if isinstance(spot[0][spot[1]], str | int | float)]
    if not spots:
        return
    owner, key = rng.choice(spots)
    value = owner[key]
    if isinstance(value, str):
        at = rng.randrange(len(value) + 1)
        piece = rng.choice(
            ("", "x", "-", ")", "(", "[", "]", ",", " ", "*", "0", "9" * 30, ":", "$", ".", "'", '"', "\\")
        )
        owner[key] = value[:at] + piece + value[at + rng.choice((0, 1)) :]
    else:
        half = value + 0.5 if abs(value) < 1e300 else value
        owner[key] = rng.choice((-value, value * 1000, half, str(value), 10**12, -1, 0, 1, 1e-12))


def _drop_lines(rng: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True)
    at = rng.randrange(len(lines) + 1)
    return "".join(lines[:at] + lines[at + rng.choice((1, 1, 3, 20)) :])


def _repeat_lines(rng: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True)
    at = rng.randrange(len(lines) + 1)
    return "".join(lines[:at] + lines[at : at + rng.choice((1, 3))] * rng.choice((2, 30)) + lines[at:])


def _indent(rng: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True)
    at = rng.randrange(len(lines)) if lines else 0
    return "".join(rng.choice(("  ", " ", "\t", "- ")) + line if n == at else line for n, line in enumerate(lines))


def _insert(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text) + 1)
    piece = rng.choice(
        (*"{}[]:,&*!|>'\"%@`#-?\n\t\\", "\x00", "\u2028", "&a ", "*a", "<<: ", "!!int ", "---\n", "[" * 60)
    )
    return text[:at] + piece + text[at + rng.choice((0, 0, 1, 5)) :]


_OF_TREES: Final[tuple[Callable[[random.Random, Any, list[Any]], None], ...]] = (
    _replace, _replace, _replace, _delete, _rename, _repeat, _wrap, _unwrap, _splice, _add, _perturb, _perturb,
)  # fmt: skip
_OF_TEXTS: Final[tuple[Callable[[random.Random, str], str], ...]] = (_drop_lines, _repeat_lines, _indent, _insert)


def _write(tree: Any) -> str:
    """A tree as YAML: a line for each key at the top, the rest in brackets."""
    if not isinstance(tree, dict):
        return _flow(tree) + "\n"
    return "".join(f"{_flow(key)}: {_flow(value)}\n" for key, value in tree.items())


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    done = fuzz_specs(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    sys.stdout.write(
        f"{done.specs:,} specs: {done.valid:,} valid, {done.refused:,} refused, {len(done.codes)} codes; "
        f"at most {done.most_steps:,} steps; {len(done.failures)} failures\n"
    )
    for failure in done.failures:
        sys.stdout.write(f"\n{failure.what}\n{failure.text[:2000]}\n{failure.output[-1500:]}\n")
