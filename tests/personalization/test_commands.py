"""The commands that serve and forget users."""

from __future__ import annotations

from click.testing import CliRunner
from mixture_cases import mixture

from coresift.cli import cli


def test_export_and_forget_say_in_one_sentence_what_is_missing(tmp_path):
    for arguments in (["export-adapters"], ["forget", "--user", "ann"]):
        result = CliRunner().invoke(cli, [*arguments, "--data-dir", str(tmp_path)])
        assert result.exit_code == 1
        assert "holds no adapter" in result.output or "no user with raw id 'ann'" in result.output


def test_an_adapter_that_is_not_personalized_has_no_gates_to_export(tmp_path):
    folder = tmp_path / "models" / "adapter" / "v1" / "adapter"
    mixture().save_pretrained(str(folder))
    (folder / "reclora.json").unlink()
    (tmp_path / "surrogate" / "surrogate_states.safetensors").mkdir(parents=True)
    result = CliRunner().invoke(cli, ["export-adapters", "--data-dir", str(tmp_path)])
    assert result.exit_code == 1 and "run the pipelines first" in result.output
