"""A shop's A/B test, written down as its owner would: tables, record and configuration."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import pandas as pd

from jetstream_assets_tests.real.command import Workplace, shared_data

if TYPE_CHECKING:
    from pathlib import Path

SLUG = "food-banner"
# Purchases are known until the end date, which is six days after the last enrollment date.
START, LAST_ENROLLMENT, END = "2023-01-25", "2023-01-31", "2023-02-06"
DEVICES = {"android": "A", "ios": "I"}

RECORD = {
    "slug": SLUG,
    "appName": "firefox_desktop",
    "appId": "firefox-desktop",
    "startDate": START,
    "enrollmentEndDate": None,
    "endDate": END,
    "proposedEnrollment": 6,
    "branches": [{"slug": "A", "ratio": 1}, {"slug": "B", "ratio": 1}],
    "referenceBranch": "A",
    "bucketConfig": {
        "randomizationUnit": "user_id",
        "namespace": "shop",
        "start": 0,
        "count": 10_000,
        "total": 10_000,
    },
    "outcomes": [],
    "segments": [],
    "isEnrollmentPaused": True,
    "isRollout": False,
}

FUNCTIONS = """
[functions.agg_any]
definition = "COALESCE(LOGICAL_OR({select_expr}), FALSE)"
[functions.agg_sum]
definition = "COALESCE(SUM({select_expr}), 0)"
"""

CONFIGURATION = """
[experiment]
enrollment_period = 6
segments = ["usa", "android", "ios", "no_device"]
# Who joined has seen the banner or its absence: the groups table says who takes part.
enrollment_query = '''
    SELECT uid AS analysis_id, `group` AS branch, join_dt AS enrollment_date,
           1 AS num_enrollment_events
    FROM `globox.groups`
    WHERE join_dt BETWEEN '{{experiment.start_date_str}}'
                      AND '{{experiment.last_enrollment_date_str}}'
'''

# Without a signal, exposures are Firefox's own events, which a shop does not have.
[experiment.exposure_signal]
name = "saw_home_page"
data_source = "joined"
select_expression = "TRUE"
friendly_name = "Saw the home page"
description = "Whoever joins does so on the page with the banner."

[metrics]
daily = ["converted"]
weekly = ["converted", "orders", "spend"]
overall = ["converted", "orders", "spend"]

[metrics.spend]
data_source = "purchases"
select_expression = "{{ agg_sum('spent') }}"
friendly_name = "Spend"
description = "Dollars spent."
[metrics.spend.statistics.linear_model_mean]
drop_highest = 0.0
[metrics.spend.statistics.bootstrap_mean]
drop_highest = 0.0
[metrics.spend.statistics.deciles]
[metrics.spend.statistics.sum]
[metrics.spend.statistics.count]

[metrics.orders]
data_source = "purchases"
select_expression = "COUNT(spent)"
friendly_name = "Orders"
description = "Number of purchases."
analysis_bases = ["enrollments"]
[metrics.orders.statistics.linear_model_mean]
drop_highest = 0.0
[metrics.orders.statistics.sum]

[metrics.converted]
data_source = "purchases"
select_expression = "{{ agg_any('spent > 0') }}"
friendly_name = "Converted"
description = "Whether the user bought anything."
analysis_bases = ["enrollments"]
[metrics.converted.statistics.binomial]

[data_sources.purchases]
from_expression = "globox.activity"
experiments_column_type = "none"
client_id_column = "uid"
submission_date_column = "dt"

[data_sources.joined]
from_expression = "`globox.groups`"
experiments_column_type = "none"
client_id_column = "uid"
submission_date_column = "join_dt"

[segments.data_sources.users]
from_expression = '''(
    SELECT g.uid, g.join_dt, g.device, u.country
    FROM `globox.groups` AS g LEFT JOIN globox.users AS u ON u.id = g.uid
)'''
client_id_column = "uid"
submission_date_column = "join_dt"

[segments.usa]
data_source = "users"
select_expression = '''{{ agg_any("country = 'USA'") }}'''
[segments.android]
data_source = "users"
select_expression = '''{{ agg_any("device = 'A'") }}'''
[segments.ios]
data_source = "users"
select_expression = '''{{ agg_any("device = 'I'") }}'''
[segments.no_device]
data_source = "users"
select_expression = "{{ agg_any('device IS NULL') }}"
"""


def make_shop(root: Path) -> Workplace:
    """Write the shop's tables, the experiment's record and its configuration into a folder."""
    source = shared_data("globox")
    place = Workplace(root, root / "configuration")
    for table in ("groups", "users", "activity"):
        folder = place.warehouse / "globox" / table
        folder.mkdir(parents=True)
        with duckdb.connect() as connection:
            rows = connection.read_csv(str(source / f"{table}.csv.gz"), header=True)
            rows.write_parquet(str(folder / "all.parquet"))
    place.experiments.write_text(json.dumps([RECORD]))
    for kind in ("definitions", "jetstream"):
        (place.configuration / kind).mkdir(parents=True)
    (place.configuration / "definitions" / "functions.toml").write_text(FUNCTIONS)
    (place.configuration / "jetstream" / f"{SLUG}.toml").write_text(CONFIGURATION)
    return place


@dataclass(frozen=True)
class Shop:
    """The same questions asked of the original files, with pandas alone."""

    users: pd.DataFrame
    purchases: pd.DataFrame

    @classmethod
    def read(cls) -> Shop:
        folder = shared_data("globox")
        groups = pd.read_csv(folder / "groups.csv.gz", parse_dates=["join_dt"])
        countries = pd.read_csv(folder / "users.csv.gz").rename(columns={"id": "uid"})
        users = groups[groups.join_dt.between(START, LAST_ENROLLMENT)].merge(countries, on="uid")
        bought = pd.read_csv(folder / "activity.csv.gz", parse_dates=["dt"])
        bought = bought.merge(users[["uid", "join_dt"]], on="uid")
        bought["since"] = (bought.dt - bought.join_dt).dt.days
        return cls(users, bought)

    def branches(
        self, first: int, last: int, segment: str = "all"
    ) -> list[tuple[str, pd.DataFrame]]:
        """For each branch one row a user of the segment: spend and orders on these days."""
        inside = self.purchases[self.purchases.since.between(first, last)]
        totals = inside.groupby("uid").spent.agg(spend="sum", orders="count").reset_index()
        values = self.users.merge(totals, on="uid", how="left").fillna({"spend": 0, "orders": 0})
        members = values[self._members(values, segment)]
        return [(branch, members[members.group == branch]) for branch in "AB"]

    @staticmethod
    def _members(users: pd.DataFrame, segment: str) -> pd.Series[bool]:
        if segment == "usa":
            return users.country == "USA"
        if segment == "no_device":
            return users.device.isna()
        return users.device == DEVICES[segment] if segment in DEVICES else users.uid.notna()
