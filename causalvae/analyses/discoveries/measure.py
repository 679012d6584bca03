"""Searches of a run, each kept as soon as it is done."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter

from causalvae.analyses.discoveries.discover import discover
from causalvae.analyses.discoveries.findings import Discovered, Discovery
from causalvae.analyses.discoveries.section import Discoveries
from causalvae.digest import digest
from causalvae.engine.progress import OnProgress
from causalvae.files import read_json, write_json
from causalvae.session import Session


def find_circuits(session: Session, settings: Discoveries, folder: Path, on_progress: OnProgress) -> Discovered:
    """Search for every circuit of a spec; what `folder` holds is not searched for again.

    Parameters
    ----------
    session : Session
    settings : Discoveries
    folder : Path
        Takes ``NAME.DIGEST.json`` for each circuit, by what is sought and the treatment.
    on_progress : callable
    """
    written = TypeAdapter(Discovery)
    found = []
    for sought in settings.circuits:
        treatment = session.spec.intervention(sought.treatment).model_dump(mode="json")
        key = digest([sought.model_dump(mode="json"), treatment])
        file = folder / f"{sought.name}.{key}.json"
        if file.exists():
            found.append(written.validate_python(read_json(file)))
            continue
        one = discover(session, sought, settings, on_progress)
        write_json(written.dump_python(one, mode="json"), file)
        found.append(one)
    return Discovered(tuple(found))
