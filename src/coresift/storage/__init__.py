"""Files and folders that are whole or absent: tables, tensors, shards, model folders, work folders, fingerprints."""

from coresift.storage.contracts import SCHEMAS, TENSOR_CONTRACTS, empty_table
from coresift.storage.fingerprints import fingerprint
from coresift.storage.location import Location
from coresift.storage.publishing import atomic_file, atomic_folder
from coresift.storage.row_lookup import places_of, rows_of, rows_of_items, table_of_items
from coresift.storage.shards import Shards
from coresift.storage.tables import read_column, read_table, table_preview, write_table
from coresift.storage.tensors import Tensors, describe_tensors, read_tensors, write_tensors
from coresift.storage.working import WORK_FOLDER_NAME, work_folder

__all__ = [
    "SCHEMAS",
    "TENSOR_CONTRACTS",
    "WORK_FOLDER_NAME",
    "Location",
    "Shards",
    "Tensors",
    "atomic_file",
    "atomic_folder",
    "describe_tensors",
    "empty_table",
    "fingerprint",
    "places_of",
    "read_column",
    "read_table",
    "read_tensors",
    "rows_of",
    "rows_of_items",
    "table_of_items",
    "table_preview",
    "work_folder",
    "write_table",
    "write_tensors",
]
