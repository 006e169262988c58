"""Wrong parameters are refused before any node, with the nearest valid name."""

import pytest

from coresift.hooks import check_parameters


def test_the_shared_defaults_pass() -> None:
    check_parameters({"data_dir": "data", "raw_dir": "x", "device": "cpu", "seed": 3, "adapter": {"r": 4}})


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"devise": "cpu"}, "unknown parameter 'devise': did you mean 'device'?"),
        ({"selection": {"budgett": 3}}, "unknown parameter 'selection.budgett': did you mean 'selection.budget'?"),
        ({"adapter": {"rank": 3, "r": 2}}, "unknown parameter 'adapter.rank': "),
        ({"device": "gpu"}, "parameter 'device': .* got 'gpu'"),
        ({"adapter": {"r": 0}}, r"parameter 'adapter\.r': .*greater than or equal to 1, got 0"),
        ({"selection": {"budget": "many"}}, r"parameter 'selection\.budget': .*integer.*'many'"),
    ],
)
def test_wrong_parameters_are_named(raw: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("?", r"\?") if "?" in message else message):
        check_parameters(raw)
