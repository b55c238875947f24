from __future__ import annotations

import yaml

from streams.render.prometheus import Targets, render_prometheus


def test_every_process_is_scraped_under_the_job_that_the_rules_know() -> None:
    """Alerts of what is down go by the job."""
    targets = Targets(("a:1", "b:1"), ("c:2",), ("d:3",), "5s")
    content = yaml.safe_load(render_prometheus(targets))
    assert {"feedback-exporter": ["a:1", "b:1"], "feedback-worker": ["c:2"]} == {
        job["job_name"]: job["static_configs"][0]["targets"] for job in content["scrape_configs"]
    }
    assert ["d:3"] == content["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    assert "5s" == content["global"]["scrape_interval"] == content["global"]["evaluation_interval"]


def test_rules_are_found_beside_the_file() -> None:
    """A relative path, so that the folder can be mounted anywhere."""
    assert ["rules/*.yml"] == yaml.safe_load(render_prometheus(Targets()))["rule_files"]
