"""Whatever a text holds, reading it gives a spec or diagnostics, never an exception."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from causalvae.spec import Diagnostic, Spec, parse_spec, parse_train_spec
from causalvae.spec.codes import CODES
from causalvae.spec.loader import _validate
from causalvae.spec.yaml_tree import compose
from tests.spec.faults import FAULTS, GOOD

_PIECES = [
    *"{}[]:,&*!|>'\"%@`#-?\n \t$#\\\x00\x85\u2028é☃",
    "null",
    "~",
    "!!python/name:os.system",
    "<<: ",
    "*a",
    "&a ",
    "\n- ",
    "\n\n",
    "---\n",
    "...\n",
    "'",
    '"',
    "1e999",
    "-.inf",
    ".nan",
    "0x",
    "[[",
    "}}",
    "  ",
    "\ufeff",
    "\ud800",
]
_ROOT, _ = compose(GOOD)
assert _ROOT is not None
_PLAIN: dict[str, Any] = _ROOT.to_plain()


def check(text: str | bytes) -> None:
    spec, diagnostics = parse_spec(text, "fuzz.yaml")
    assert (spec is None) == any(found.severity == "error" for found in diagnostics)
    for found in diagnostics:
        assert isinstance(found, Diagnostic)
        assert found.code in CODES
        assert found.line >= 1
        assert found.column >= 1
        assert found.render()
    if spec is not None:
        assert isinstance(spec, Spec)
        assert spec.digest


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_mutated_texts(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([GOOD, *(fault.text for fault in FAULTS[::7])]))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        stop = min(len(text), start + data.draw(st.sampled_from([0, 0, 1, 2, 10, 80])))
        new = data.draw(st.one_of(st.sampled_from(_PIECES), st.text(max_size=4), st.just(text[start:stop] * 2)))
        text = text[:start] + new + text[stop:]
    check(text)


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.text(max_size=60), st.binary(max_size=60), st.lists(st.sampled_from(_PIECES), max_size=15).map("".join)
    )
)
@example("a: !<")
@example("? ? ? a")
@example("&a [*a, &a b]")
@example("a: |9\n")
@example(b"\xef\xbb\xbf")
def test_arbitrary_texts(text: str | bytes) -> None:
    check(text)
    parse_train_spec(text)


_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-3, 2**70),
        st.floats(),
        st.sampled_from(
            ["scale", "x", "area", "$scale", "latent[3]", "a -> b", "resize", "zoo", "", "probe", "resample"]
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["name", "input", "to", "at_most", "readout", "axis", "components", "zz"]),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=5,
)


@settings(max_examples=120, deadline=None)
@given(seed=st.integers(0, 2**32), values=st.lists(_values, min_size=1, max_size=4))
def test_mutated_values(seed: int, values: list[Any]) -> None:
    # A tree of values reaches deeper than mutated text, most of which is no YAML.
    rng = random.Random(seed)
    plain = _copy(_PLAIN)
    for value in values:
        _replace(plain, value, rng)
    spec, findings = _validate(Spec, plain)
    errors = [finding for finding in findings if finding.severity == "error"]
    assert spec is not None or errors
    assert _ROOT is not None
    for finding in findings:
        assert finding.message
        assert _ROOT.locate(finding.path, finding.on_key).line >= 1


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list) else value


def _replace(value: Any, new: Any, rng: random.Random) -> None:
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = rng.choice(keys)
        inner = value[key]
        if isinstance(inner, dict | list) and inner and rng.random() < 0.75:
            value = inner
        elif rng.random() < 0.2:
            del value[key]
            return
        else:
            value[key] = new
            return
