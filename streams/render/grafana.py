"""Grafana's provisioning: where its data comes from and which boards it shows."""

from __future__ import annotations

from streams.render.catalogue import write_yaml

DATASOURCE_PATH = "grafana/provisioning/datasources/feedback.yml"
BOARDS_PATH = "grafana/provisioning/dashboards/feedback.yml"

# Where the board's folder is seen by Grafana; docker-compose.yml mounts it there.
BOARDS_FOLDER = "/etc/grafana/dashboards"


def render_datasource(prometheus_url: str) -> str:
    """Prometheus as the default data source."""
    return write_yaml(
        {
            "apiVersion": 1,
            "datasources": [
                {
                    "name": "Prometheus",
                    "uid": "feedback-prometheus",
                    "type": "prometheus",
                    "access": "proxy",
                    "url": prometheus_url,
                    "isDefault": True,
                    "editable": False,
                }
            ],
        }
    )


def render_board_provider() -> str:
    """The folder of boards. Grafana can't save over them: the next rendering would undo it."""
    return write_yaml(
        {
            "apiVersion": 1,
            "providers": [
                {
                    "name": "feedback",
                    "type": "file",
                    "folder": "",
                    "disableDeletion": True,
                    "allowUiUpdates": False,
                    "options": {"path": BOARDS_FOLDER},
                }
            ],
        }
    )
