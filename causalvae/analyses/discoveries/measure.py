"""Searches of a run, each kept as soon as it is done."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from causalvae.analyses.discoveries.discover import discover, open_search
from causalvae.analyses.discoveries.findings import Discovered
from causalvae.analyses.discoveries.section import Discoveries
from causalvae.analyses.discoveries.trial import Searched, judge_together
from causalvae.engine.progress import OnProgress
from causalvae.files import DamagedFileError, discard, read_json, write_json
from causalvae.session import Session

_WRITTEN: Final = TypeAdapter(Searched)


def find_circuits(session: Session, settings: Discoveries, folder: Path, on_progress: OnProgress) -> Discovered:
    """Search for every circuit of a spec; what `folder` holds is not searched for again.

    Parameters
    ----------
    session : Session
    settings : Discoveries
    folder : Path
        Takes ``NAME.DIGEST.json`` for each circuit, by what is sought, its pairs and its candidates. Verdicts are not
        kept: they depend on the other circuits.
    on_progress : callable
    """
    found = []
    for sought in settings.circuits:
        file = folder / f"{sought.name}.{open_search(session, sought, settings).key}.json"
        kept = _read(file)
        if kept is not None:
            found.append(kept)
            continue
        one = discover(session, sought, settings, on_progress)
        write_json(_WRITTEN.dump_python(one, mode="json"), file)
        found.append(one)
    return judge_together(found)


def _read(file: Path) -> Searched | None:
    """What was found before; None where it was not, where the file is damaged, or where it has another form."""
    if not file.exists():
        return None
    try:
        return _WRITTEN.validate_python(read_json(file))
    except DamagedFileError:
        discard(file, "the circuit is searched for again")
        return None
    except ValidationError:
        return None
