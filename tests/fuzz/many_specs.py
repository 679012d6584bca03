"""Millions of specs through what `causalvae validate` does with one, and a record that a later call goes on with.

``python -m tests.fuzz.many_specs 1000000 --record build/specs.json`` checks specs until the record has so many. Most of
them are built as the tree that their text would give, since reading the text takes four fifths of the time; one in a
hundred is read from its text as well, which must give the same tree.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import heapq
import json
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from causalvae.cli.diagnostic_formats import github_commands, sarif_log
from causalvae.spec import include, write_resolved
from causalvae.spec.assembly import assemble
from causalvae.spec.codes import CODES
from causalvae.spec.loader import Read, _judge, _parse, _settle, read_whole
from causalvae.spec.yaml_tree import MAX_DEPTH, MAX_NODES, Node, Source, _resolve, compose, normalise
from tests.fuzz import specs
from tests.fuzz.grammar import Grammar
from tests.fuzz.specs import HOSTILE, TooManyStepsError, _copy, _flow
from tests.fuzz.time_limit import time_limit

# Processor time after which a spec is checked once more with its calls counted; 10 million calls take longer.
_SLOW: Final = 0.7
_HANGS: Final = 60
_SAVE_EVERY: Final = 2000
_PLAIN: Final = re.compile("[\\x20-\\x7e\\n\\t\xa0-\u2027\u202a-\ud7ff\U00010000-\U0001ffff]*\\Z")
_LONGEST_KEY: Final = 900
_INCLUDED: Final = (
    "parts/graph.yaml", "parts/data.yaml", "parts/nested.yaml", "parts/circle.yaml", "parts/none.yaml", "parts", ".",
    "parts/broken.yaml", "parts/../parts/graph.yaml", "../x.yaml", "/etc/passwd", "pipe", "parts/link.yaml", "\x00",
    "spec.yaml", "x" * 300, "", "~", "there.yaml",
)  # fmt: skip
_HOSTILE_SETTINGS: Final = (
    "", "=", "a", "a=", "=1", ".=1", "a.=1", "a[=1", "a[0]=1", "[0]=1", "name=" + "[" * 60, "name={a: 1}", "name=*a",
    "name=&a 1", "name=!!x 1", "include=x", "grid.data.seed=[1,2]", "grid=1", "variables.n=3", "variables=1", "model=",
    "model=~", "data.samples=1e999", "data.samples=\x00", "name=a\nb", "x" * 3000 + "=1", ".".join("a" * 39) + "=1",
    ".".join("a" * 41) + "=1", "graph.edges[999999]=1", "hypotheses.none.alpha=1", "name='", "name=\udcff", "\udcff=1",
    "data.samples=${n}", "spec=causalvae/train-v1", "data.samples=64", "name=b # c", "--set=1", "interventions=[]",
)  # fmt: skip
_USES: Final = ("${v0}", "${none}", "a${v0}b", "$${v0}", "${v0", "${}", "${v0}${v0}", "${ v0 }", "${${v0}}", "${v1}")


def check_specs(count: int, seed: int, record: Path | None = None, seconds: float = float("inf")) -> dict[str, Any]:
    """Check specs until so many have been checked, and give the counts.

    Parameters
    ----------
    count : int
        Of all calls with the same record; spec i is the same whatever the count.
    seed : int
    record : Path, optional
        A file with the counts of earlier calls, which is kept up to date.
    seconds : float
        The call ends after this time.

    Returns
    -------
    dict
        ``specs``, ``valid``, ``refused``, ``codes`` (code -> in how many), ``kinds``, ``most_steps`` (calls of
        functions of the slowest), ``processor_seconds``, ``failures``.
    """
    counts: dict[str, Any] = {
        "seed": seed, "specs": 0, "valid": 0, "refused": 0, "codes": {}, "kinds": {}, "most_steps": 0,
        "counted": 0, "slowest": [], "processor_seconds": 0.0, "failures": [],
    }  # fmt: skip
    if record is not None and record.exists():
        counts = json.loads(record.read_text(encoding="utf-8"))
        if counts["seed"] != seed:
            raise SystemExit(f"{record} has the counts of seed {counts['seed']}")
    ends = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as place:
        fuzzer = _Fuzzer(Path(place), seed, counts)
        # The included files are always the same, and nodes are never changed.
        include.compose = lru_cache(compose)  # type: ignore[assignment]
        while counts["specs"] < count and time.monotonic() < ends:
            fuzzer.check_many(min(_SAVE_EVERY, count - counts["specs"]))
            if record is not None:
                partial = record.with_suffix(".partial")
                partial.write_text(json.dumps(counts), encoding="utf-8")
                partial.replace(record)
    return counts


class _Fuzzer:
    def __init__(self, place: Path, seed: int, counts: dict[str, Any]) -> None:
        self._place, self._seed, self._counts = place, seed, counts
        self._path = place / "spec.yaml"
        self._texts = specs._corpus()
        self._trees = [tree for tree in map(specs._plain, self._texts) if tree is not None]
        self._short = [short for tree in self._trees for short in _shortened(tree)]
        self._grammar = Grammar.of_specs()
        specs._lay_out(place)
        self._lay_out_parts()

    def _lay_out_parts(self) -> None:
        parts = self._place / "parts"
        parts.mkdir()
        for name in ("graph", "data"):
            tree = next(tree for tree in self._trees if name in tree)
            (parts / f"{name}.yaml").write_text(f"{name}: {_flow(tree[name])}\n", encoding="utf-8")
        (parts / "nested.yaml").write_text("include: [graph.yaml, data.yaml]\nname: nested\n", encoding="utf-8")
        (parts / "circle.yaml").write_text("include: circle.yaml\n", encoding="utf-8")
        (parts / "broken.yaml").write_text("a: [\n", encoding="utf-8")
        (parts / "link.yaml").symlink_to("/etc/passwd")
        os.mkfifo(self._place / "pipe")

    def check_many(self, count: int) -> None:
        """Check the next `count` specs."""
        counts, began = self._counts, time.process_time()
        codes, kinds = Counter(counts["codes"]), Counter(counts["kinds"])
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            for _ in range(count):
                number = counts["specs"]
                counts["specs"] += 1
                kind, found = self._check(number)
                kinds[kind] += 1
                codes.update(found)
        finally:
            gc.enable()
            gc.unfreeze()
        counts["codes"], counts["kinds"] = dict(codes), dict(kinds)
        counts["processor_seconds"] += time.process_time() - began

    def _check(self, number: int) -> tuple[str, set[str]]:
        """Check one spec; its kind, and the codes of its diagnostics."""
        rng = random.Random(f"{self._seed}/{number}")
        kind, text, laid, settings = self._make(rng)
        began = time.process_time()
        read: Read[Any] | None = None
        try:
            with time_limit(_HANGS, TooManyStepsError("hangs")):
                read = self._read(text, laid, settings)
                said = self._said(read, number)
        except TooManyStepsError as stop:
            said = str(stop)
        except Exception as error:  # what this program looks for
            said = f"{type(error).__name__}: {error}"[:500]
        took = time.process_time() - began
        if took > _SLOW and not said:
            said = self._count_steps(number, text, laid, settings)
        slowest = self._counts["slowest"]
        heapq.heappush(slowest, [round(took, 4), number])
        if len(slowest) > 10:
            heapq.heappop(slowest)
        if read is not None:
            self._counts["valid" if read.spec is not None else "refused"] += 1
        if said:
            self._counts["failures"].append({"number": number, "what": said, "text": text[:3000], "set": settings})
        return kind, {fault.code for fault in read.diagnostics} if read is not None else set()

    def _make(self, rng: random.Random) -> tuple[str, str, Node | None, tuple[str, ...]]:
        """The kind of a spec, its text, the tree of this text where it was built, and settings."""
        kind = rng.choices(("text", "changed", "drawn in part", "drawn whole"), (0.6, 69.4, 26, 4))[0]
        if kind == "text":
            text = rng.choice(self._texts)
            for _ in range(rng.randint(1, 3)):
                text = rng.choice(specs._OF_TEXTS)(rng, text)
            return kind, text, None, ()
        if kind == "drawn whole":
            tree: Any = self._grammar.spec(rng)
        else:
            # What a spec costs grows with its length.
            tree = _copy(rng.choice(self._trees if rng.random() < 0.1 else self._short))
            for _ in range(rng.choice((1, 1, 1, 2, 4))):
                if kind == "changed":
                    change = rng.choice(specs._OF_TREES)
                    # Half of the time would be spent on the one in twenty whose lists are a hundred times as long.
                    if change is not specs._repeat or rng.random() < 0.05:
                        change(rng, tree, self._trees)
                else:
                    self._draw_part(rng, tree)
        settings: tuple[str, ...] = ()
        if rng.random() < 0.15 and isinstance(tree, dict):
            kind += ", in parts"
            settings = _in_parts(rng, tree)
        laid = _Writer(str(self._path)).write(tree)
        if laid is None and rng.random() < 0.8:
            # Texts that have to be read are tried often enough.
            return self._make(rng)
        return kind, laid[0] if laid else specs._write(tree), laid[1] if laid else None, settings

    def _draw_part(self, rng: random.Random, tree: Any) -> None:
        paths = list(_paths(tree, ()))
        if not paths:
            return
        path = rng.choice(paths)
        known, value = self._grammar.at(path, rng)
        if known:
            _put(tree, path, value)

    def _read(self, text: str, laid: Node | None, settings: tuple[str, ...]) -> Read[Any]:
        if laid is None:
            self._path.write_text(text, encoding="utf-8", errors="surrogatepass")
            return read_whole(self._path, settings)
        whole = assemble(laid, self._path, settings)
        if whole.broken:
            return Read(None, _settle(list(whole.faults), str(self._path)))
        return _judge(None, whole, str(self._path), self._place, list(whole.faults))

    def _said(self, read: Read[Any], number: int) -> str:
        """What is wrong with what was read; empty where nothing is."""
        faults = read.diagnostics
        errors = [fault for fault in faults if fault.severity == "error"]
        if bool(errors) == (read.spec is not None):
            return "valid with an error" if errors else "refused without a reason"
        for fault in faults if number % 10 == 0 else faults[:1]:
            shown = fault.render()
            if fault.code not in CODES or not fault.message or not shown.replace("\n", "").isprintable():
                return f"not to be shown: {shown!r}"
        if number % 10 == 0:
            json.dumps([fault.to_dict() for fault in faults], allow_nan=False)
            json.dumps(sarif_log(faults), allow_nan=False)
            if any(line.count("\n") or line.count("\r") for line in github_commands(faults)):
                return "a command to GitHub Actions has two lines"
        if number % 20 == 0 and read.spec is not None:
            again = _parse(None, write_resolved(read.spec), "resolved")
            if again.spec != read.spec:
                faults = [str(fault.render()) for fault in again.diagnostics]
                return f"the resolved spec is another one: {faults[:3]}"
        return ""

    def _count_steps(self, number: int, text: str, laid: Node | None, settings: tuple[str, ...]) -> str:
        steps = [0]
        try:
            with specs._counted(steps):
                self._said(self._read(text, laid, settings), number)
        except TooManyStepsError as stop:
            return str(stop)
        finally:
            self._counts["counted"] += 1
            self._counts["most_steps"] = max(self._counts["most_steps"], steps[0])
        return ""


def _shortened(tree: dict[str, Any]) -> list[dict[str, Any]]:
    """Short specs: what a spec needs and one more section, whose lists have one entry; and all with such lists."""

    def cut(value: Any, most: int) -> Any:
        if isinstance(value, dict):
            return {key: cut(inner, most) for key, inner in value.items()}
        return [cut(inner, most) for inner in value[:most]] if isinstance(value, list) else value

    needed = {
        key: tree[key] for key in ("spec", "name", "model", "data", "graph", "mapping", "objective") if key in tree
    }
    if isinstance(needed.get("graph"), dict):
        # The other sections name factors and attributes.
        needed["graph"] = {**needed["graph"], "edges": needed["graph"].get("edges", [])[:2]}
    rest = [key for key in tree if key not in needed and key != "description"]
    return [
        *({**needed, key: cut(tree[key], 1)} for key in rest),
        {**needed, **{key: cut(tree[key], 1) for key in rest}},
    ]


def _in_parts(rng: random.Random, tree: dict[str, Any]) -> tuple[str, ...]:
    """Put includes, variables and a grid into a tree, and give settings for it."""
    settings: list[str] = []
    for what in rng.sample(("include", "variables", "grid", "set"), rng.choice((1, 1, 2, 3))):
        paths = list(_paths(tree, ()))
        if not paths:
            return ()
        path = rng.choice(paths)
        if what == "include":
            tree["include"] = rng.choice(_INCLUDED) if rng.random() < 0.6 else rng.choices(_INCLUDED, k=3)
            if rng.random() < 0.5:
                tree.pop(rng.choice(("graph", "data", "name")), None)
        elif what == "variables":
            old = _get(tree, path)
            tree["variables"] = {"v0": _copy(rng.choice((old, old, *HOSTILE[:40], "${v1}"))), "v1": "${v0}"}
            _put(tree, path, rng.choice(("${v0}", *_USES)))
        elif what == "grid":
            values = [_copy(_get(tree, path)), *rng.sample(HOSTILE, 2), 1, 2][: rng.choice((0, 1, 2, 4))]
            tree["grid"] = {_spelled(rng, tree, path): values, **({"data.seed": [1, 2]} if rng.random() < 0.3 else {})}
        else:
            value = rng.choice((_get(tree, path), *rng.sample(HOSTILE, 2)))
            own = f"{_spelled(rng, tree, path)}={_flow(value)}"
            settings += [own, rng.choice(_HOSTILE_SETTINGS)][: rng.choice((1, 1, 2))]
            rng.shuffle(settings)
    return tuple(settings)


def _spelled(rng: random.Random, tree: Any, path: tuple[Any, ...]) -> str:
    """A path as a setting names it."""
    said, value = "", tree
    for part in path:
        value = value[part]
        named = isinstance(part, int) and isinstance(value, dict) and isinstance(value.get("name"), str)
        if isinstance(part, int) and not (named and rng.random() < 0.5):
            said += f"[{part}]"
        else:
            key = value["name"] if isinstance(part, int) else part
            said += f".{key}" if said else str(key)
    return said


def _paths(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (*path, key)
        yield from _paths(value[key], (*path, key))


def _get(tree: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        tree = tree[part]
    return tree


def _put(tree: Any, path: tuple[Any, ...], value: Any) -> None:
    with contextlib.suppress(LookupError, TypeError):
        # Another part may have replaced what was there.
        _get(tree, path[:-1])[path[-1]] = value


class _OddError(Exception):
    """The text of a tree has to be read to know what it gives."""


class _Writer:
    """Writes a tree as `tests.fuzz.specs._write` does, and builds the nodes that reading this text gives."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._parts: list[str] = []
        self._nodes: list[Node] = []
        self._line = self._column = 1

    def write(self, tree: Any) -> tuple[str, Node] | None:
        """The text and its root; None where it holds what is refused, folded or resolved in a special way."""
        if not isinstance(tree, dict) or not tree:
            return None
        root = self._node("mapping")
        try:
            for key, value in tree.items():
                self._entry(root, key, value, 1)
                self._put("\n")
                self._line, self._column = self._line + 1, 1
        except _OddError:
            return None
        text = "".join(self._parts)
        if root.size > MAX_NODES or len(text) > 1 << 19:
            return None
        source = Source(self._name, tuple(text.split("\n")))
        for node in self._nodes:
            node.source = source
        return text, root

    def _put(self, text: str) -> None:
        self._parts.append(text)
        self._column += len(text)

    def _node(self, kind: Any) -> Node:
        node = Node(kind, self._line, self._column)
        self._nodes.append(node)
        return node

    def _entry(self, parent: Node, key: Any, value: Any, depth: int) -> None:
        if not isinstance(key, str) or not key or key == "<<" or len(key) > _LONGEST_KEY:
            raise _OddError
        name = self._scalar(key)
        self._put(": ")
        inner = self._value(value, depth + 1)
        parent.size += name.size + inner.size
        parent.entries[name.text] = (name, inner)

    def _value(self, value: Any, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise _OddError
        if isinstance(value, dict):
            node = self._node("mapping")
            self._put("{")
            for place, (key, inside) in enumerate(value.items()):
                self._put(", " if place else "")
                self._entry(node, key, inside, depth)
            self._put("}")
            return node
        if isinstance(value, list):
            node = self._node("sequence")
            self._put("[")
            for place, inside in enumerate(value):
                self._put(", " if place else "")
                node.items.append(self._value(inside, depth + 1))
                node.size += node.items[-1].size
            self._put("]")
            return node
        return self._scalar(value)

    def _scalar(self, value: Any) -> Node:
        if isinstance(value, str) and not _PLAIN.match(value):
            raise _OddError
        node, written = self._node("scalar"), _flow(value)
        self._put(written)
        node.length = len(written)
        node.text = value if isinstance(value, str) else written
        node.value = value if isinstance(value, str) else _resolve(written)
        return node


def same_tree(tree: Any) -> bool:
    """Whether the nodes that are built for a tree are those that its text gives; also true where none are built."""
    laid = _Writer("spec.yaml").write(tree)
    if laid is None:
        return True
    text, root = laid
    read, faults = compose(normalise(text), root.source)
    return read == root and not faults


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", type=Path)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    given = parser.parse_args()
    found = check_specs(given.count, given.seed, given.record, given.seconds)
    for failure in found["failures"]:
        sys.stdout.write(f"{failure['number']}: {failure['what']}\n{failure['text'][:1500]}\n{failure['set']}\n\n")
    sys.stdout.write(
        f"{found['specs']:,} specs: {found['valid']:,} valid, {found['refused']:,} refused, {len(found['codes'])} "
        f"codes; {found['processor_seconds']:.0f} s; {len(found['failures'])} failures; {found['kinds']}\n"
        f"slowest: {sorted(found['slowest'])[-3:]}\n"
    )
