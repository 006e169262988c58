"""Files and folders that are whole or absent: tables, tensors, shards, model folders, work folders, fingerprints."""

from coresift.storage.atomic_writes import atomic_file, atomic_folder, replace
from coresift.storage.contracts import SCHEMAS, SPLITS, TENSOR_CONTRACTS, TEST, TRAIN, VALID, empty_table
from coresift.storage.disk_errors import DiskError, disk_errors_named, disk_failure
from coresift.storage.fingerprints import fingerprint
from coresift.storage.lineage import Lineage, check_one_origin, read_lineage, write_lineage
from coresift.storage.location import Location, newest_version, whole_versions
from coresift.storage.ownership import discard_left_overs, fresh_folder, locked, owned_folder
from coresift.storage.row_lookup import places_of, rows_of, rows_of_items, table_of_items
from coresift.storage.safe_folders import unsafe_files
from coresift.storage.shards import Shards
from coresift.storage.tables import read_column, read_table, table_preview, write_table
from coresift.storage.tensors import Tensors, describe_tensors, read_tensors, write_tensors
from coresift.storage.work_folders import (
    WORK_FOLDER_NAME,
    finish_work,
    leave_work,
    work_folder,
    work_in_progress,
    work_root,
)

__all__ = [
    "SCHEMAS",
    "SPLITS",
    "TENSOR_CONTRACTS",
    "TEST",
    "TRAIN",
    "VALID",
    "WORK_FOLDER_NAME",
    "DiskError",
    "Lineage",
    "Location",
    "Shards",
    "Tensors",
    "atomic_file",
    "atomic_folder",
    "check_one_origin",
    "describe_tensors",
    "discard_left_overs",
    "disk_errors_named",
    "disk_failure",
    "empty_table",
    "fingerprint",
    "finish_work",
    "fresh_folder",
    "leave_work",
    "locked",
    "newest_version",
    "owned_folder",
    "places_of",
    "read_column",
    "read_lineage",
    "read_table",
    "read_tensors",
    "replace",
    "rows_of",
    "rows_of_items",
    "table_of_items",
    "table_preview",
    "unsafe_files",
    "whole_versions",
    "work_folder",
    "work_in_progress",
    "work_root",
    "write_lineage",
    "write_table",
    "write_tensors",
]
