"""The codes of errors and the sections of the page of troubleshooting are the same."""

import copy
import re
from pathlib import Path

import pytest

import tacit as tc
from tacit.errors import ConfigError, DataError, MissingExtra, see

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()


def test_every_code_has_a_section_and_every_section_a_code():
    sources = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py") if path.name != "errors.py")
    used = {*re.findall(r"""["'](T\d\d)["']""", sources), "T01"}  # MissingExtra stands in errors.py
    sections = re.findall(r"^## (T\d\d): ", PAGE, re.MULTILINE)
    assert sections == sorted(used)


def test_a_message_ends_with_its_code():
    error = ConfigError("Do this.", code="T05")
    assert (str(error), error.code) == ("Do this. (see T05: docs/troubleshooting.md)", "T05")
    assert str(error).endswith(see("T05"))
    assert (str(ConfigError("Do this.")), ConfigError("Do this.").code) == ("Do this.", "")


@pytest.mark.parametrize("error", [ConfigError("Do this.", code="T05"), MissingExtra("h5py", "hdf5", "this")])
def test_a_code_survives_a_copy(error):
    again = copy.copy(error)  # as pickle does
    assert (str(again), again.code) == (str(error), error.code)


def test_a_long_message_keeps_its_code():
    assert str(ConfigError("x" * 10**6, code="T05")).endswith(see("T05"))


def test_an_error_of_a_newcomer_names_its_section(tmp_path):
    with pytest.raises(DataError, match=r"see T02: docs/troubleshooting.md") as caught:
        tc.data.open(tmp_path / "nothing")
    assert caught.value.code == "T02"
