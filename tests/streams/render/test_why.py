"""What can be said of the sentences without Prometheus; prometheus/tests/why.yml runs them."""

from __future__ import annotations

from streams.kpis.load import parse_kpis
from streams.render.catalogue import Catalogue
from streams.render.why import why
from tests.catalogues import SPLIT, WHOLE_ONLY
from tests.kpi_texts import kpi_text


def test_a_short_scale_has_two_decimals() -> None:
    """Four hundredths matter on a scale of 1 to 7 or -1 to 1, and not in percent or points."""
    formulas = {
        "{mean: {measure: csat}}": 2,
        "{sentiment: mean}": 2,
        "{mean: {measure: csat, as_percent: true}}": 1,
        "{net: {measure: nps}}": 1,
    }
    files = [parse_kpis(kpi_text(formula=formula, target="1")) for formula in formulas]
    assert list(formulas.values()) == [Catalogue.of(file).faces[0].decimals for file in files]
    assert 'match "^(?:csat)$" $labels.kpi' in why(Catalogue.of(files[0]), "5m")
    assert "match" not in why(Catalogue.of(files[2]), "5m")


def test_without_dimensions_there_is_nothing_to_divide() -> None:
    """Only the distance to the baseline is told."""
    assert "feedback_kpi_driver_points" in why(SPLIT, "5m")
    assert "feedback_kpi_driver_points" not in why(WHOLE_ONLY, "5m")
