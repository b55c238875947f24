"""The kinds of panel that the board is made of, each with what all of its kind share."""

from __future__ import annotations

from string import ascii_uppercase
from typing import TYPE_CHECKING, Final, NamedTuple

from streams.render.board_queries import STATE_NUMBERS
from streams.render.board_sdk import (
    PromQueryFormat,
    build_common,
    build_dashboard,
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
    units,
)
from streams.scores.states import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streams.render.catalogue import Face

DATASOURCE: Final = common.DataSourceRef(type_val="prometheus", uid="${Prometheus}")

FULL, HALF, SMALL = 24, 12, 4  # of the 24 columns of Grafana's grid

# Six states, six colours and six words: what looks alike will be taken for alike.
STATE_COLOURS: Final[dict[State, str]] = {
    "ok": "green",
    "watch": "yellow",
    "breach": "red",
    "insufficient": "blue",
    "idle": "#808080",
    "stale": "purple",
}

OFF_ON: Final = {"0": ("down", "red"), "1": ("up", "green")}
BANDS: Final = {"0": ("poor", "red"), "1": ("fair", "yellow"), "2": ("good", "green")}


_COLOURED: Final = {"type": "color-background", "mode": "basic"}


class Query(NamedTuple):
    """PromQL and the name under which a panel shows its result."""

    name: str
    expr: str


def state_mapping() -> dashboard.ValueMap:
    """From a state's number to its word and colour."""
    return value_map(
        {str(number): (state, STATE_COLOURS[state]) for state, number in STATE_NUMBERS.items()}
    )


def value_map(shown: Mapping[str, tuple[str, str]]) -> dashboard.ValueMap:
    """From values to (text, colour)."""
    return dashboard.ValueMap(
        {
            value: dashboard.ValueMappingResult(text=text, color=colour, index=index)
            for index, (value, (text, colour)) in enumerate(shown.items())
        }
    )


def trend(title: str, description: str, queries: Sequence[Query], unit: str) -> timeseries.Panel:
    """Lines over time, named by their queries' names, which may hold `{{label}}`."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .span(HALF)
        .height(8)
        .unit(unit)
        .line_width(2)
        .fill_opacity(0)
        .show_points(common.VisibilityMode.NEVER)
        .legend(
            build_common.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(show_legend=True)
        )
        .tooltip(build_common.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
    )
    for letter, query in zip(ascii_uppercase, queries, strict=False):
        panel.with_target(_target(letter, query).range().legend_format(query.name))
    return panel


def number(
    title: str, description: str, query: Query, unit: str, *, warn: float | None = None
) -> stat.Panel:
    """One number, now; orange from `warn` on."""
    steps = [dashboard.Threshold(value=None, color="green")]
    if warn is not None:
        steps.append(dashboard.Threshold(value=warn, color="orange"))
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .span(SMALL)
        .height(4)
        .unit(unit)
        .no_value("no data")
        .color_mode(common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.NONE)
        .thresholds(build_dashboard.ThresholdsConfig().mode(_ABSOLUTE).steps(steps))
        .with_target(_target("A", query).instant().legend_format(query.name))
    )


def listing(
    title: str, description: str, queries: Sequence[Query], hidden: Sequence[str], no_value: str
) -> table.Panel:
    """A table with a column for each query beside its labels; rows join where labels are equal."""
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .span(FULL)
        .height(9)
        .unit(units.Number)
        .decimals(1)
        .no_value(no_value)
        .with_transformation(dashboard.DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(_columns(queries, hidden))
        .override_by_name("answers", [_property("decimals", 0)])
        .override_by_name(
            "state",
            [
                _property("mappings", [state_mapping()]),
                _property("custom.cellOptions", _COLOURED),
            ],
        )
    )
    for letter, query in zip(ascii_uppercase, queries, strict=False):
        panel.with_target(_target(letter, query).instant().format(_TABLE))
    return panel


def banded(panel: table.Panel) -> table.Panel:
    """Show the column `band` in the words and colours of `BANDS`."""
    mappings = _property("mappings", [value_map(BANDS)])
    return panel.override_by_name("band", [mappings, _property("custom.cellOptions", _COLOURED)])


def named_kpis(panel: table.Panel, faces: Sequence[Face]) -> table.Panel:
    """Show the column `kpi` as titles with their units; what is not in the KPI file, as it is."""
    texts = {face.kpi: (face.label, "text") for face in faces}
    return panel.override_by_name("kpi", [_property("mappings", [value_map(texts)])])


def states_over_time(
    title: str, description: str, query: Query, names: Mapping[str, str]
) -> statetimeline.Panel:
    """Bars of states, one line a KPI; `names` shows series under other names."""
    panel = (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .span(FULL)
        .height(6)
        .unit(units.Number)
        .mappings([state_mapping()])
        .show_value(common.VisibilityMode.AUTO)
        .fill_opacity(80)
        .legend(
            build_common.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(show_legend=True)
        )
        .with_target(_target("A", query).range().legend_format(query.name))
    )
    for series, name in names.items():
        panel.override_by_name(series, [_property("displayName", name)])
    return panel


def band(panel: timeseries.Panel, lower: str, upper: str) -> timeseries.Panel:
    """Fill the space between two lines of `panel`."""
    thin = _property("custom.lineWidth", 0)
    return panel.override_by_name(lower, [thin, _COLOUR_OF_BAND]).override_by_name(
        upper,
        [
            thin,
            _COLOUR_OF_BAND,
            _property("custom.fillBelowTo", lower),
            _property("custom.fillOpacity", 20),
        ],
    )


def dashed(panel: timeseries.Panel, name: str, colour: str) -> timeseries.Panel:
    """Draw one line of `panel` dashed: a line to compare with, not a measurement."""
    return panel.override_by_name(
        name,
        [
            _property("custom.lineStyle", {"fill": "dash", "dash": [8, 8]}),
            _property("custom.lineWidth", 1),
            _property("color", {"mode": "fixed", "fixedColor": colour}),
        ],
    )


def _target(letter: str, query: Query) -> prometheus.Dataquery:
    return prometheus.Dataquery().ref_id(letter).datasource(DATASOURCE).expr(query.expr)


def _property(name: str, value: object) -> dashboard.DynamicConfigValue:
    return dashboard.DynamicConfigValue(id_val=name, value=value)


def _columns(queries: Sequence[Query], hidden: Sequence[str]) -> dashboard.DataTransformerConfig:
    # Grafana names the columns "Value #A"…, or "Value" where there is only one query.
    if len(queries) == 1:
        renamed = {"Value": queries[0].name}
    else:
        pairs = zip(ascii_uppercase, queries, strict=False)
        renamed = {f"Value #{letter}": query.name for letter, query in pairs}
    return dashboard.DataTransformerConfig(
        id_val="organize",
        options={
            "excludeByName": dict.fromkeys(("Time", *hidden), True),
            "renameByName": renamed,
            "indexByName": {},
        },
    )


_ABSOLUTE = dashboard.ThresholdsMode.ABSOLUTE
_TABLE = PromQueryFormat.TABLE
_COLOUR_OF_BAND = _property("color", {"mode": "fixed", "fixedColor": "blue"})
