"""The garbage collector is paused only inside, and stays off where it was off."""

import gc

import pytest

from causalvae.collector import uncollected


def test_the_collector_is_back_after_an_error():
    assert gc.isenabled()
    with pytest.raises(KeyError), uncollected():
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    try:
        with uncollected(), uncollected():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
