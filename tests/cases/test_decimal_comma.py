"""CSV files with decimal commas, as Excel and loggers write them in half of Europe, are read by themselves."""

import numpy as np

import tacit as tc


def test_decimal_commas_are_read_with_and_without_names(tmp_path):
    wave = np.sin(np.arange(40))
    lines = [f"{i / 10:.1f};{value:.3f};{-value:.3f}".replace(".", ",") for i, value in enumerate(wave)]
    (tmp_path / "named.csv").write_text("\n".join(["time;a;b", *lines]))
    (tmp_path / "bare.csv").write_text("\n".join(line.split(";", 1)[1] for line in lines))
    for name, options in (("named.csv", {}), ("bare.csv", {"rate": 10.0})):
        for decimal in ({}, {"decimal": ","}):
            values = tc.data.open(tmp_path / name, **options, **decimal)[0].observation["signal"]
            np.testing.assert_allclose(values, np.stack([wave, -wave], axis=1), atol=1e-3)
