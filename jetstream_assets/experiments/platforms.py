"""The applications whose experiments can be analysed, and what differs between them.

Belongs here: the table of platforms. Does not: what is measured on them (configuration files).
"""

from __future__ import annotations

from dataclasses import dataclass

from jetstream_assets.experiments.configuration import EnrollmentsQueryType
from jetstream_assets.experiments.experiment import AnalysisUnit


@dataclass(frozen=True)
class Platform:
    """One application.

    ``app_id`` is used where no experiment says it (previews, validation); ``analysis_units`` are
    the units that its metrics and data sources support unless they say otherwise.
    """

    app_name: str
    app_id: str
    enrollments_query_type: EnrollmentsQueryType = EnrollmentsQueryType.GLEAN_EVENT
    analysis_units: tuple[AnalysisUnit, ...] = (AnalysisUnit.CLIENT,)


PLATFORMS = {
    platform.app_name: platform
    for platform in (
        Platform(
            "firefox_desktop",
            "firefox-desktop",
            EnrollmentsQueryType.NORMANDY,
            (AnalysisUnit.CLIENT, AnalysisUnit.PROFILE_GROUP),
        ),
        Platform("fenix", "fenix"),
        Platform("focus_android", "org.mozilla.focus"),
        Platform("klar_android", "org.mozilla.klar"),
        Platform("firefox_ios", "org.mozilla.ios.FirefoxBeta"),
        Platform("focus_ios", "org.mozilla.ios.Focus"),
        Platform("klar_ios", "org.mozilla.ios.Klar"),
    )
}


def platform_of(app_name: str) -> Platform:
    """The platform of that name; for an unknown application one with the usual defaults.

    An unknown application is refused later, with its name (`refusals`); it must not stop its
    configuration from being read.
    """
    return PLATFORMS.get(app_name, Platform(app_name, app_name))
