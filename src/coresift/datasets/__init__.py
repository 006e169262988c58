"""Kedro datasets: thin wrappers of :mod:`coresift.storage`, all whole or absent, on local or fsspec paths."""

from coresift.datasets.arrow_table_dataset import ArrowTableDataset
from coresift.datasets.embedded_corpus_dataset import EmbeddedCorpusDataset
from coresift.datasets.folder_dataset import ModelDirectoryDataset, PeftAdapterDataset
from coresift.datasets.json_lines_dataset import JsonLinesDataset
from coresift.datasets.sharded_tensor_dataset import ShardedTensorDataset
from coresift.datasets.source_dataset import SourceDataset
from coresift.datasets.standard import FigureDataset, JsonDataset, TextDataset
from coresift.datasets.tensor_dict_dataset import TensorDictDataset

__all__ = [
    "ArrowTableDataset",
    "EmbeddedCorpusDataset",
    "FigureDataset",
    "JsonDataset",
    "JsonLinesDataset",
    "ModelDirectoryDataset",
    "PeftAdapterDataset",
    "ShardedTensorDataset",
    "SourceDataset",
    "TensorDictDataset",
    "TextDataset",
]
