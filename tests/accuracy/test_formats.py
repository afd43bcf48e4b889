"""Numbers in their order, and distances in ulp, against torch's own neighbours."""

import math

import pytest
import torch
from mpmath import mp

from lossgen.accuracy.formats import (
    BFLOAT16,
    FLOAT16,
    FLOAT32,
    FLOAT64,
    FORMATS,
    Format,
    error_in_ulp,
)

DTYPES = {form.name: getattr(torch, form.name) for form in FORMATS}


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_the_ends_are_those_of_torch(form: Format) -> None:
    info = torch.finfo(DTYPES[form.name])
    assert form.largest == info.max
    assert form.tiny == info.tiny
    assert form.smallest == info.smallest_normal * info.eps


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_neighbours_are_those_of_torch(form: Format) -> None:
    for number in (0.0, 1.0, -1.0, 0.1, 3e-5, -form.tiny, form.smallest, 1e4):
        here = torch.tensor(number, dtype=DTYPES[form.name])
        up = torch.nextafter(here, torch.full_like(here, math.inf))
        assert form.rounded(number) == here.item()
        assert form.neighbour(number, 1) == up.item()
        assert form.number(form.ordinal(here.item())) == here.item()


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_ordinals_rise_by_one(form: Format) -> None:
    places = [*range(-40, 40), form.ordinal(form.tiny) - 1, form.ordinal(form.tiny)]
    numbers = [form.number(place) for place in places]
    assert numbers == sorted(numbers)
    assert [form.ordinal(x) for x in numbers] == places
    assert form.number(form.ordinal(form.largest)) == form.largest


def test_the_ulp_of_float64_is_pythons() -> None:
    for number in (1.0, 1.5, 2.0, 1e300, 1e-300, 5e-324, 0.0, FLOAT64.tiny, 3.0**-40):
        assert float(FLOAT64.ulp(mp.mpf(number))) == math.ulp(number)


def test_errors_are_counted_in_ulp_of_the_exact_number() -> None:
    third = mp.mpf(1) / 3
    nearest = FLOAT32.rounded(float(third))
    assert error_in_ulp(nearest, third, FLOAT32) < 0.5
    beside = FLOAT32.neighbour(nearest, 1)
    assert 0.5 < error_in_ulp(beside, third, FLOAT32) < 1.5
    assert error_in_ulp(0.0, mp.mpf(FLOAT32.smallest), FLOAT32) == 1
    assert error_in_ulp(0.0, mp.mpf(1), FLOAT16) == 2**10
    assert error_in_ulp(2.0, mp.mpf(1), BFLOAT16) == 2**7


def test_what_is_not_finite() -> None:
    big = mp.mpf(10) ** 40
    assert error_in_ulp(math.inf, big, FLOAT32) == 0
    assert error_in_ulp(-math.inf, big, FLOAT32) == math.inf
    assert error_in_ulp(FLOAT32.largest, big, FLOAT32) == 0
    assert error_in_ulp(math.inf, mp.mpf(1), FLOAT32) == math.inf
    assert error_in_ulp(math.nan, mp.mpf(0), FLOAT32) == math.inf
    assert error_in_ulp(math.nan, mp.nan, FLOAT32) == 0
    for form in FORMATS:
        with mp.workprec(2000):
            halfway = mp.mpf(form.largest) + form.ulp(form.largest) / 2
            below = halfway - mp.mpf(2) ** -100
        assert form.overflows(halfway)
        assert not form.overflows(below)


def test_what_a_format_holds() -> None:
    assert FLOAT32.holds(mp.mpf(0))
    assert FLOAT32.holds(mp.mpf(FLOAT32.smallest))
    assert not FLOAT32.holds(mp.mpf(FLOAT32.smallest) / 2)
    assert not FLOAT32.holds(mp.mpf(0.1))
    assert FLOAT64.holds(mp.mpf(0.1))
    assert not FLOAT32.holds(mp.mpf(2) ** 128)
    assert not FLOAT32.holds(mp.nan)
