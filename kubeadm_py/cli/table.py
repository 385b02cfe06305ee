"""List the commands: what is typed, and where its flags are defined."""

from __future__ import annotations

COMMANDS = {
    "init": "init:init",
    "join": "join:join",
    "apply": "apply:apply",
    "verify": "verify:verify",
    "reset": "reset:reset",
    "preflight": "preflight:preflight",
    "render": "render:render",
    "version": "version:version",
    "token create": "token:create",
    "token list": "token:list_",
    "token delete": "token:delete",
    "token generate": "token:generate",
    "certs certificate-key": "certs:certificate_key",
    "config validate": "config:validate",
    "config migrate": "config:migrate",
    "config print init-defaults": "config_print:init_defaults",
    "config print join-defaults": "config_print:join_defaults",
    "config print reset-defaults": "config_print:reset_defaults",
    "config print upgrade-defaults": "config_print:upgrade_defaults",
    "config images list": "config:images_list",
    "config images pull": "config:images_pull",
    "kubeconfig get": "kubeconfig:get",
    "addon list": "addon:list_",
}
"""Command -> MODULE:FUNCTION in cli/commands; help lists them in this order."""

GROUPS = {
    "token": "Create, list and delete bootstrap tokens.",
    "certs": "Look after certificates and keys.",
    "config": "Look at configs and the images that they need.",
    "config images": "Images that a config needs.",
    "config print": "Print kubeadm's documents with their defaults.",
    "kubeconfig": "Get the cluster's kubeconfig.",
    "addon": "Look at the add-ons.",
}
"""What a word stands for that other commands begin with."""
