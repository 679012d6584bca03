"""The classical disentanglement scores of a run: on samples of its own, kept so that they are measured once."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch

from causalvae.digest import digest
from causalvae.disentanglement import (
    UNSCORABLE,
    Codes,
    Score,
    ScoredCodes,
    ScoreReport,
    ScoreRow,
    ScoreSettings,
    condense,
    count_samples,
    pool_draws,
    score,
    score_factors,
)
from causalvae.disentanglement.dci import Regressor
from causalvae.engine.progress import OnProgress, Progress, ignore_progress
from causalvae.errors import CausalVAEError
from causalvae.files import DamagedFileError, discard, make_folder, read_json, write_json
from causalvae.models.loading import randomise
from causalvae.models.network import channel_kl, channel_means
from causalvae.models.vae import VAE
from causalvae.session import Session

if TYPE_CHECKING:
    from causalvae.analyses.disentanglement.section import DisentanglementSection

# Of the files that scores are kept in: raised whenever the same settings give other numbers.
_VERSION = 2
_REGRESSORS: Final[dict[str, Regressor]] = {
    "boosting": "gradient boosting",
    "bagging": "bagged trees",
    "lasso": "lasso",
}
_AT_ONCE = 64
_DENSITIES = 500
# Baselines of this process, by key: networks that are compared on one data set share them.
_shared: dict[str, ScoredCodes] = {}


def settings_of(section: DisentanglementSection, inputs_at_once: int = _AT_ONCE) -> ScoreSettings:
    """A spec's section as the settings of `causalvae.disentanglement.score`."""
    return ScoreSettings(
        samples=section.samples,
        test_samples=section.held_out,
        inputs_at_once=inputs_at_once,
        bins=section.bins,
        regressor=_REGRESSORS[section.predictor],
        votes=section.votes,
        test_votes=max(section.votes // 2, 1),
        kl_threshold=section.kl_threshold,
        density_samples=min(_DENSITIES, section.samples),
        confidence=section.confidence,
        draws=section.draws,
        seed=section.seed,
        measures=section.scores,
    )


def find_scores(
    section: DisentanglementSection, session: Session, folder: Path, on_progress: OnProgress = ignore_progress
) -> ScoreReport:
    """The classical scores that a spec asks for.

    Parameters
    ----------
    section : DisentanglementSection
    session : Session
    folder : Path
        Takes what was measured, one file a code (the network's, the factors', the random copy's); what it holds for
        equal settings, data and weights is not measured again.
    on_progress : callable

    Raises
    ------
    CausalVAEError
        For faults of the network or of files; data that cannot be scored are no fault, and the report says why.
    """
    spec = session.spec
    held = spec.execution.batch_rows
    settings = settings_of(section, held if isinstance(held, int) else _AT_ONCE)
    data = [spec.data.model_dump(mode="json", exclude={"samples"}), session.data_identity]
    asked = [
        _VERSION,
        version("scikit-learn"),
        section.model_dump(mode="json", exclude={"baselines", "scores", "test_samples", "draws"}),
        sorted(section.scores),
        section.held_out,
        data,
    ]
    told = partial(_tell, on_progress)
    batches = 0

    def measure_network(draw: int) -> ScoredCodes:
        named = f", draw {draw + 1} of {section.draws}" if section.draws > 1 else ""
        represent = _represent(session.model.vae, batches, told(f"encoding{named}", "batches"))
        # Several draws have an interval over draws.
        drawn = replace(settings, draw=draw, redraws=0 if section.draws > 1 else settings.redraws)
        steps = told(f"scores{named}", "steps")
        return condense(score(session.dataset, represent, drawn, steps, session.split))

    try:
        counts = count_samples(session.dataset, settings, session.split)
        batches = sum(math.ceil(count / settings.inputs_at_once) for count in counts)
        draws = [
            _kept(
                folder,
                "network",
                digest([*asked, session.model.components.model_digest, [draw, section.draws]]),
                partial(measure_network, draw),
            )
            for draw in range(section.draws)
        ]
        found = pool_draws(draws, section.confidence)
        oracle, random = (
            _baselines(session, settings, asked, folder, batches, told) if section.baselines else (None, None)
        )
    except CausalVAEError as error:
        if error.code not in UNSCORABLE:
            raise
        return ScoreReport(absent=" ".join(filter(None, [error.message, error.remedy])), data=session.dataset.name)
    return _report(session, settings, found, oracle, random)


def _baselines(
    session: Session,
    settings: ScoreSettings,
    asked: list[Any],
    folder: Path,
    batches: int,
    told: Callable[[str, str], Callable[[int, int], None]],
) -> tuple[ScoredCodes, ScoredCodes]:
    copy = randomise(session.model, session.spec.execution.seed).vae
    # A baseline is shown without an interval.
    settings = replace(settings, redraws=0)
    if session.dataset.size is not None:
        # Several draws share out finite data, so that each has fewer samples.
        asked = [*asked, settings.draws]

    def measure_random() -> ScoredCodes:
        # A network that learned nothing has dead latents only, and a score of none says nothing: all count.
        represent = _represent(copy, batches, told("encoding, random weights", "batches"), masked=False)
        steps = told("scores, random weights", "steps")
        return condense(score(session.dataset, represent, settings, steps, session.split))

    def measure_oracle() -> ScoredCodes:
        return condense(score_factors(session.dataset, settings, told("scores, factors", "steps"), session.split))

    return (
        _kept(
            folder,
            "factors",
            digest([*asked, "factors, levels that mean the same merged"]),
            measure_oracle,
            shared=True,
        ),
        _kept(folder, "random", digest([*asked, _hash_weights(copy)]), measure_random, shared=True),
    )


def _represent(
    vae: VAE, batches: int, tell: Callable[[int, int], None], masked: bool = True
) -> Callable[[torch.Tensor], Codes]:
    """What a network says of inputs: a map's channels by their means, points without KL."""
    done = 0

    def represent(inputs: torch.Tensor) -> Codes:
        nonlocal done
        with torch.inference_mode():
            posterior = vae.encode(inputs)
        done += 1
        tell(done, batches)
        means = channel_means(posterior.mean)
        if posterior.is_point or not masked:
            return Codes(means)
        # What a channel's mean is spread by is not the spread of its positions.
        logvar = posterior.logvar if posterior.mean.ndim == 2 else None
        return Codes(means, channel_kl(posterior.mean, posterior.logvar), logvar)

    return represent


def _tell(on_progress: OnProgress, stage: str, unit: str) -> Callable[[int, int], None]:
    return lambda done, total: on_progress(Progress(stage, done, total, unit))


def _hash_weights(vae: VAE) -> str:
    """Content hash of a network's weights and of what it is made of."""
    found = hashlib.sha256(repr(vae).encode())
    for name, value in sorted(vae.state_dict().items()):
        found.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        found.update(value.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def _kept(folder: Path, kind: str, key: str, measure: Callable[[], ScoredCodes], shared: bool = False) -> ScoredCodes:
    """What `folder`, or this process, holds of a code; measured and kept there where there is nothing."""
    path = folder / f"{kind}-{key}.json"
    found = _read(path)
    if found is not None:
        return found
    found = _shared.get(key) if shared else None
    if found is None:
        found = measure()
    if shared:
        _shared[key] = found
    make_folder(folder, below=folder)
    write_json(asdict(found), path)
    return found


def _read(path: Path) -> ScoredCodes | None:
    if not path.exists():
        return None
    try:
        content = read_json(path)
    except DamagedFileError:
        discard(path, "the scores are measured again")
        return None
    return ScoredCodes(
        tuple(Score(**each) for each in content["scores"]),
        tuple(content["active"]),
        content["dependence"],
        tuple(tuple(row) for row in content["importance"]),
        content["samples"],
        content["test_samples"],
        tuple(content["left_out"]),
    )


def _report(
    session: Session,
    settings: ScoreSettings,
    found: ScoredCodes,
    oracle: ScoredCodes | None,
    random: ScoredCodes | None,
) -> ScoreReport:
    return ScoreReport(
        rows=tuple(
            ScoreRow(
                each.name,
                each.value,
                each.lower,
                each.upper,
                None if oracle is None else oracle.value(each.name),
                None if random is None else random.value(each.name),
                each.note,
                each.bias,
            )
            for each in found.scores
        ),
        data=session.dataset.name,
        factors=session.dataset.space.names,
        latents=len(found.active),
        dead=tuple(latent for latent, active in enumerate(found.active) if not active),
        kl_threshold=settings.kl_threshold,
        samples=found.samples,
        test_samples=found.test_samples,
        asked_samples=settings.samples,
        asked_test_samples=settings.test_samples,
        left_out=found.left_out,
        predictor=settings.regressor if "dci" in settings.measures else "",
        dependence=found.dependence,
        importance=found.importance,
        confidence=settings.confidence,
        seed=settings.seed,
        notes=_notes(session),
        draws=settings.draws,
    )


def _notes(session: Session) -> tuple[str, ...]:
    """What is unusual about the network or the data, and what it means for the scores."""
    vae, dataset = session.model.vae, session.dataset
    notes = []
    if vae.is_point:
        notes.append(
            "The encoder gives points: there is no KL to recognise dead latents by, so all latents count, and no MIG "
            "of posterior samples."
        )
    if len(vae.latent_shape) > 1:
        notes.append("Latents are the channels of a map: each is scored by its mean over the map.")
    if vae.latent_layer is not None:
        layer = type(vae.latent_layer).__name__
        notes.append(f"Scored is what the encoder gives, before the latent layer ({layer}).")
    if session.spec.data.condition:
        given = ", ".join(session.spec.data.condition)
        notes.append(f"The network receives {given} in addition to the input, so its latents need not carry it.")
    binned = [factor.name for factor in dataset.space.factors if factor.is_continuous]
    if binned:
        notes.append(f"Continuous factors are cut into bins of equally many samples: {', '.join(binned)}.")
    unset = [factor.name for factor in dataset.space.factors if not factor.settable]
    if unset:
        notes.append(
            f"The data only observe {', '.join(unset)}: scores condition on factors, so dependences between factors "
            "affect the scores."
        )
    return tuple(notes)
