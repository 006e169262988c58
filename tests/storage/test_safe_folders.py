"""What is not safetensors, text or a tokenizer's model is found by its content."""

from __future__ import annotations

import os
import pickle
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from coresift.storage import unsafe_files

LIKE_A_PROTOCOL_0_PICKLE = {
    "a call": b"cos\nsystem\n(S'id'\ntR.",
    "a call before what cannot be read": b"cos\nsystem\n(S'id'\ntR and so on",
    "a class": b"(S'id'\nios\nsystem\n.",
    "a state": b"cos\nwalk\n(dS'a'\nI1\nsb(S'id'\ntR.",
    "a call hidden in UTF-8": b"ccollections\nOrderedDict\nU\x01\xc2\x81.",
    "plain data": b"(lp0\nI1\naI2\na.",
}
TEXTS = {
    "vocab.txt": "cab\ndog\nbook\nRed\n(\n.\n",
    "merges.txt": "#version: 0.2\nĠ t\n",
    "version.txt": "0.21.2\n",
    "README.md": "Please read.\nIt helps.\n",
    "chat_template.jinja": "{% for message in messages %}{{ message }}{% endfor %}",
    "config.json": "{}",
    "empty.json": "",
    "NOTICE": "café",
}


def write_torch(path: Path, *, zipped: bool) -> None:
    torch.save({"weight": torch.zeros(2)}, path, _use_new_zipfile_serialization=zipped)


def write_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "a")


WAYS = {
    "torch": lambda path: write_torch(path, zipped=True),
    "old torch": lambda path: write_torch(path, zipped=False),
    "pickle": lambda path: path.write_bytes(pickle.dumps({"a": 1})),
    "numpy": lambda path: np.save(path.open("wb"), np.zeros(2)),
    "program": lambda path: shutil.copyfile(os.path.realpath(sys.executable), path),
    "script": lambda path: path.write_text("#!/bin/sh\nid\n"),
    "zip": write_zip,
    "gguf": lambda path: path.write_bytes(b"GGUF\x03\0\0\0" + bytes(16)),
    **{
        name: lambda path, content=content: path.write_bytes(content)
        for name, content in LIKE_A_PROTOCOL_0_PICKLE.items()
    },
}


@pytest.mark.parametrize("name", ["weights", "model.safetensors", "config.json", "tokenizer.model", "a/b/README.md"])
@pytest.mark.parametrize("way", WAYS)
def test_pickles_and_programs_are_found_under_any_name(tmp_path: Path, way: str, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    WAYS[way](tmp_path / name)
    assert unsafe_files(tmp_path) == [name]


@pytest.mark.parametrize("name", ["a.BIN", "a.so", "a.dill", "a.Py", "a.Pt", "a.pth", "a.dll", "a.PKL", "a.sh"])
def test_names_of_pickles_and_programs_are_refused_whatever_is_in_them(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("")
    assert unsafe_files(tmp_path) == [name]


def test_safetensors_texts_and_tokenizers_belong(tmp_path: Path) -> None:
    save_file({"weight": torch.arange(300.0)}, tmp_path / "model.safetensors")
    save_file({"weight": torch.arange(300.0)}, tmp_path / "weights-without-a-suffix")
    for name, content in TEXTS.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    piece = b"\x0a\x0e\x0a\x05<unk>\x15\0\0\0\0\x18\x02"
    (tmp_path / "tokenizer.model").write_bytes(piece * 3 + b"\x12\x02\x08\x01")
    assert unsafe_files(tmp_path) == []


def test_a_tokenizer_model_that_is_cut_off_and_damaged_safetensors_are_found(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes(b"\x0a\x0e\x0a\x05<unk>\x15\0")
    save_file({"weight": torch.arange(300.0)}, tmp_path / "model.safetensors")
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[:-1])
    assert unsafe_files(tmp_path) == ["model.safetensors", "tokenizer.model"]


def test_links_to_folders_broken_links_and_pipes_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "outside").mkdir()
    (folder / "folder").symlink_to(tmp_path / "outside")
    (folder / "broken").symlink_to(tmp_path / "absent")
    os.mkfifo(folder / "pipe")
    assert unsafe_files(folder) == ["broken", "folder", "pipe"]
