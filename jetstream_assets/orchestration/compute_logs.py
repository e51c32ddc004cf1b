"""What the steps print is kept in a bucket, and the bucket's refusals are sentences.

Belongs here: Dagster's own keeper of compute logs with our errors. Does not: where it is chosen (an
instance's ``dagster.yaml``), what the refusals mean (`report.gcs_errors`).

Dagster shows the errors of its keeper in the UI as they are: with the addresses of uploads, which
are keys to them, and with the answers of the token service.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import IO, Any, Self

from dagster._check import CheckError
from dagster._core.storage.compute_log_manager import ComputeIOType
from dagster._serdes import ConfigurableClassData
from dagster_gcp.gcs import GCSComputeLogManager

from jetstream_assets.report.gcs_errors import ROLE, missing_bucket, trouble

ROLES = f"{ROLE} and roles/storage.legacyBucketReader"
_SETTING = "compute_logs in dagster.yaml"


class BucketComputeLogManager(GCSComputeLogManager):
    """Dagster's keeper of compute logs in a bucket; its configuration is the same.

    Raises:
        DocumentStoreError: The bucket is not there, refuses or does not answer.
    """

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]
    ) -> Self:
        """Open the bucket, which has to be there."""
        subject = _subject(config_value["bucket"])
        with trouble(subject, _SETTING, ROLES):
            try:
                return super().from_config_value(inst_data, config_value)
            except CheckError:
                # Dagster's check that the bucket exists says nothing else.
                raise missing_bucket(subject, _SETTING) from None

    def cloud_storage_has_logs(
        self,
        log_key: Sequence[str],
        io_type: ComputeIOType,
        partial: bool = False,  # noqa: FBT001, FBT002  # Dagster's signature
    ) -> bool:
        """Whether a step's output is in the bucket."""
        with self._trouble():
            return super().cloud_storage_has_logs(log_key, io_type, partial)

    def download_from_cloud_storage(
        self,
        log_key: Sequence[str],
        io_type: ComputeIOType,
        partial: bool = False,  # noqa: FBT001, FBT002  # Dagster's signature
    ) -> None:
        """Fetch a step's output."""
        with self._trouble():
            super().download_from_cloud_storage(log_key, io_type, partial)

    def _upload_file_obj(
        self,
        data: IO[bytes],
        log_key: Sequence[str],
        io_type: ComputeIOType,
        partial: bool = False,  # noqa: FBT001, FBT002  # Dagster's signature
    ) -> None:
        with self._trouble():
            super()._upload_file_obj(data, log_key, io_type, partial)

    def _trouble(self) -> AbstractContextManager[None]:
        return trouble(_subject(self._bucket_name), _SETTING, ROLES)


def _subject(bucket: str) -> str:
    return f"the output of steps in the bucket {bucket}"
