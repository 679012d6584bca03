"""The command diff: what differs between two runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from causalvae.cli.console import clean, print_json, print_table, stdout
from causalvae.cli.inspecting import JsonOption

if TYPE_CHECKING:
    from causalvae.report.tables import Table
    from causalvae.study.diff import EffectChange, KeyChange, RunDiff, VerdictChange

DIFFERENT = 1
_ABSENT = "-"

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.", show_default=False)]


def diff(
    before: RunArgument,
    after: RunArgument,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 1 if something differs.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what differs between two runs.

    Compares specs, networks, data, software, verdicts and effects. An effect differs if the interval of the
    difference does not contain 0.

    """
    from causalvae.study.diff import diff_runs

    found = diff_runs(before, after)
    if as_json:
        print_json(_plain(found))
    else:
        _print(found)
    raise typer.Exit(DIFFERENT if exit_code and found else 0)


def _print(found: RunDiff) -> None:
    console = stdout()
    if not found:
        console.print(f"No differences; {found.compared} effects were compared.")
        return
    for table in _tables(found):
        print_table(console, table)
    console.print()
    words = f"{len(found.effects)} of {found.compared} effects changed by more than their intervals"
    only = [
        f"{count} are in the {which} run only"
        for count, which in ((found.only_before, "first"), (found.only_after, "second"))
        if count
    ]
    console.print(clean("; ".join((words, *only)) + "."))


def _tables(found: RunDiff) -> list[Table]:
    from causalvae.report.tables import Table, columns

    def of_keys(title: str, changes: tuple[KeyChange, ...]) -> Table:
        rows = tuple((change.key, _value(change.before), _value(change.after)) for change in changes)
        return Table(title, columns("Key", "Before", "After"), rows)

    verdicts = tuple((change.hypothesis, _status(change, 0), _status(change, 1)) for change in found.verdicts)
    effects = tuple(_effect_row(change) for change in found.effects)
    tables = (
        Table("Verdicts", columns("Hypothesis", "Before", "After"), verdicts),
        Table("Effects", columns("Effect", "Of", "On", "Before#", "After#", "Difference#"), effects),
        of_keys("Network, data and software", found.identities),
        of_keys("Spec", found.keys),
    )
    return [table for table in tables if table.rows]


def _status(change: VerdictChange, side: int) -> str:
    from causalvae.report.glossary import status_words

    verdict = (change.before, change.after)[side]
    return _ABSENT if verdict is None else status_words(verdict.status)


def _effect_row(change: EffectChange) -> tuple[str, ...]:
    from causalvae.report.glossary import term_of
    from causalvae.report.numbers import format_interval, format_number

    after = change.after
    return (
        term_of(after.estimand).short,
        str(after.component) or after.treatment or after.owner.name,
        after.outcome,
        format_number(change.before.value),
        format_number(after.value),
        format_interval(change.difference, change.lower, change.upper),
    )


def _value(value: Any) -> str:
    if value is None:
        return _ABSENT
    if isinstance(value, str):
        return value
    import json

    return json.dumps(value, ensure_ascii=False)


def _plain(found: RunDiff) -> dict[str, Any]:
    from causalvae.report.json_report import plain_values

    return {
        "before": str(found.before),
        "after": str(found.after),
        "different": bool(found),
        "keys": [plain_values(change) for change in found.keys],
        "identities": [plain_values(change) for change in found.identities],
        "verdicts": [
            {
                "hypothesis": change.hypothesis,
                "before": None if change.before is None else change.before.status,
                "after": None if change.after is None else change.after.status,
            }
            for change in found.verdicts
        ],
        "effects": [plain_values(change) | {"difference": change.difference} for change in found.effects],
        "compared": found.compared,
        "only_before": found.only_before,
        "only_after": found.only_after,
    }
