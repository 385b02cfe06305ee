"""Write the page of the Cluster document, and its JSON schema."""

# ruff: noqa: E501 - the page's own lines

from __future__ import annotations

import json

from kubeadm_py.config import schema
from pages import markdown


def cluster_document() -> str:
    """Describe the Cluster document key by key."""
    required = {f"{path}.{key}".lstrip(".") for path, names in schema.REQUIRED.items() for key in names}
    rows = [
        (
            f"`{path}`",
            kind,
            words,
            "yes" if path in required else "",
            schema.DESCRIPTIONS.get(path, "Which document this is."),
        )
        for path, kind, words in schema.listed()
    ]
    return f"""# The Cluster document

At most one in a config, beside kubeadm's own documents. `InitConfiguration` speaks for the first control plane,
`JoinConfiguration` is the template of every other host; what a host of this document says wins. Required keys are
those without which the document is refused wherever their parent stands.

[cluster.schema.json](cluster.schema.json) is the same for editors; `kubeadm-py config schema` prints it. Editors with
yaml-language-server take it from a line above the document: `# yaml-language-server: $schema=cluster.schema.json`.

{markdown.table(("Key", "Type", "Accepted", "Required", "What it is for"), rows)}"""


def schema_file() -> str:
    """Return the JSON schema as its file must be."""
    return json.dumps(schema.schema(), indent=2) + "\n"
