"""A worker has the versions of the process that sends it work, extensions among them."""

from __future__ import annotations

import pytest

from causalvae.engine.backends.ray import check_versions, find_versions
from causalvae.errors import CausalVAEError


def test_equal_versions_pass() -> None:
    check_versions(find_versions(()))
    check_versions(find_versions(("numpy",)))


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"no-such-extension": "1.0"}, "no-such-extension none"), ({"causalvae": "0.0"}, "causalvae 0.0")],
)
def test_other_versions_are_refused(changed: dict[str, str], said: str) -> None:
    with pytest.raises(CausalVAEError, match=said) as caught:
        check_versions({**find_versions(()), **changed})
    assert caught.value.code == "CV422"
